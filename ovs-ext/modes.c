/* Modes that were set by hand: see modes.h. */

#include "modes.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void
modes_init(struct modes *modes)
{
    shash_init(&modes->overrides);
    shash_init(&modes->declared);
}

void
modes_destroy(struct modes *modes)
{
    shash_destroy(&modes->overrides);
    shash_destroy(&modes->declared);
}

/* Where 'topology' keeps the mode of 'name', or NULL. */
static enum mode *
find_mode(const struct topology *topology, const char *name)
{
    struct service *service = shash_find_data(&topology->service_index, name);
    struct application *application
        = shash_find_data(&topology->application_index, name);
    return service ? &service->mode : application ? &application->mode : NULL;
}

void
modes_apply(struct modes *modes, struct topology *topology, bool fresh)
{
    const struct shash_node *node;
    SHASH_FOR_EACH (node, &modes->declared) {
        enum mode *mode = find_mode(topology, node->name);
        if (mode && !fresh) {
            *mode = MODE_INHERIT;
            mode_from_string(node->data, mode);
        }
    }
    shash_clear(&modes->declared);
    SHASH_FOR_EACH (node, &modes->overrides) {
        enum mode *mode = find_mode(topology, node->name);
        if (mode) {
            /* Constant strings; "" is no mode of its own. */
            shash_add(&modes->declared, node->name,
                      *mode == MODE_INHERIT ? "" : mode_to_string(*mode));
            mode_from_string(node->data, mode);
        }
    }
}

char *
modes_set(struct modes *modes, const struct topology *topology,
          const char *name, const char *mode_name)
{
    enum mode mode = MODE_INHERIT;
    bool take_back = !strcmp(mode_name, "manifest");
    bool known = topology && find_mode(topology, name);
    if (!take_back && !mode_from_string(mode_name, &mode)) {
        return xasprintf("\"%s\" is no mode; those are learn, audit, enforce "
                         "and manifest (what the manifests say)", mode_name);
    } else if (!known
               && !(take_back && shash_find(&modes->overrides, name))) {
        return xasprintf("there is no application or service \"%s\"", name);
    } else if (take_back) {
        shash_find_and_delete(&modes->overrides, name);
    } else {
        shash_replace(&modes->overrides, name, mode_to_string(mode));
    }
    return NULL;
}

static void
put_line(const struct modes *modes, const char *name, enum mode mode,
         bool inherited, struct ds *s)
{
    const struct shash_node *node = shash_find(&modes->declared, name);
    ds_put_format(s, "%-32s %s", name, mode_to_string(mode));
    if (node) {
        const char *declared = node->data;
        ds_put_format(s, " (set by hand; manifest: %s)",
                      declared[0] ? declared : "as its application");
    } else if (inherited) {
        ds_put_cstr(s, " (as its application)");
    }
    ds_put_char(s, '\n');
}

bool
modes_format(const struct modes *modes, const struct topology *topology,
             const char *name, struct ds *s)
{
    bool found = false;
    for (size_t i = 0; i < topology->n_applications; i++) {
        const struct application *application = topology->applications[i];
        bool all = !name || !strcmp(name, application->name);
        if (all) {
            put_line(modes, application->name, application->mode, false, s);
            found = true;
        }
        for (size_t j = 0; j < application->n_services; j++) {
            const struct service *service = application->services[j];
            if (all || !strcmp(name, service->path)) {
                put_line(modes, service->path, service_mode(service),
                         service->mode == MODE_INHERIT, s);
                found = true;
            }
        }
    }
    return found || !name;
}

void
modes_format_overrides(const struct modes *modes, struct ds *s)
{
    const struct shash_node **nodes = shash_sort(&modes->overrides);
    for (size_t i = 0; i < shash_count(&modes->overrides); i++) {
        const char *name = nodes[i]->name;
        ds_put_format(s, "MODE SET BY HAND: %s is in %s%s\n", name,
                      (const char *) nodes[i]->data,
                      shash_find(&modes->declared, name) ? ""
                      : ", but is not in the manifests");
    }
    free(nodes);
}
