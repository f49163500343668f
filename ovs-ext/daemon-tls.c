/* Which settings are for which TLS: that of Open vSwitch, "ssl:", and that of
 * syslog, "tls:". */

#include "daemon.h"

#include <string.h>

#include "util.h"

static const char *
text_or(const struct settings *s, enum setting setting, const char *fallback)
{
    const char *text = settings_text(s, setting);
    return text ? text : fallback;
}

/* Also with --once, when only libopenvswitch connects. */
static char *
check_targets(const struct daemon *d)
{
    const char *db = settings_text(&d->settings, SETTING_DB);
    const struct svec *bridges = settings_list(&d->settings, SETTING_BRIDGE);
    char *error = NULL;
    for (size_t i = 0; !error && i < bridges->n; i++) {
        const char *name = bridges->names[i];
        if (!strncmp(name, "ssl:", 4)) {
            error = connection_check(d->loop, name);
        }
    }
    if (!error && db && !strncmp(db, "ssl:", 4)) {
        error = connection_check(d->loop, db);
    }
    return error;
}

char *
daemon_use_tls(struct daemon *d)
{
    /* Which outlive a SIGHUP. */
    const struct settings *s = &d->started_with;
    const char *private_key = settings_text(s, SETTING_PRIVATE_KEY);
    const char *certificate = settings_text(s, SETTING_CERTIFICATE);
    const char *ca_cert = settings_text(s, SETTING_CA_CERT);
    bool own = settings_text(s, SETTING_SYSLOG_CERTIFICATE)
               || settings_text(s, SETTING_SYSLOG_PRIVATE_KEY);
    d->ssl = (struct tls_settings) {
        .private_key = private_key, .certificate = certificate, .ca = ca_cert,
    };
    d->syslog_tls = (struct tls_settings) {
        .private_key = text_or(s, SETTING_SYSLOG_PRIVATE_KEY,
                               own ? NULL : private_key),
        .certificate = text_or(s, SETTING_SYSLOG_CERTIFICATE,
                               own ? NULL : certificate),
        .ca = text_or(s, SETTING_SYSLOG_CA, ca_cert),
        .check_name = true,
        .name = settings_text(s, SETTING_SYSLOG_NAME),
    };
    bool complete = private_key && certificate && ca_cert;
    loop_use_tls(d->loop, complete ? &d->ssl : NULL, &d->syslog_tls);
    char *error = tls_settings_check(&d->ssl);
    if (!error) {
        error = tls_settings_check(&d->syslog_tls);
    }
    if (!error) {
        error = check_targets(d);
    }
    return error;
}
