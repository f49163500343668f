/* Tells systemd how it is, as sd_notify(3) describes; nothing if it did not
 * ask. */

#ifndef SDFW_NOTIFY_H
#define SDFW_NOTIFY_H 1

/* To be called before other programs are started, which shall not tell. */
void notify_init(void);

/* 'state' is such as "READY=1". */
void notify_tell(const char *state);

#endif /* notify.h */
