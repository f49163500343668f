/* The commands: see plugin.c for the table, and docs/by-hand.md for what they
 * write. */

#ifndef SDFW_VSCTL_COMMANDS_H
#define SDFW_VSCTL_COMMANDS_H 1

struct ctl_context;

void enable_run(struct ctl_context *);
void disable_run(struct ctl_context *);
void disable_postprocess(struct ctl_context *);
void set_mode_run(struct ctl_context *);
void bind_run(struct ctl_context *);
void unbind_run(struct ctl_context *);
void quarantine_run(struct ctl_context *);
void release_run(struct ctl_context *);
void show_run(struct ctl_context *);
void list_deviations_run(struct ctl_context *);

#endif /* commands.h */
