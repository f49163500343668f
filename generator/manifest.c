/* Manifests to model: finds and reads the files.  See manifest.h.
 *
 * What may be read is bounded: files below the directory of the topology,
 * also when symbolic links are followed, and each of them once. */

#include "manifest.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libxml/parser.h>

#include "check.h"
#include "interpret.h"
#include "sset.h"
#include "svec.h"
#include "util.h"
#include "xml.h"

#define MAX_DEPTH 16            /* Of directories. */


struct reader {
    struct topology *topology;
    bool digests;               /* Wanted, of each file. */
    struct report *report;
    struct xml_schema *schema;
    struct sset seen;           /* Files and directories, by real path. */
    struct document *documents;
    size_t n, allocated;
};

static struct location
about(const char *file)
{
    return (struct location) { .file = file };
}

/* The directory part of 'path', without the "/" at its end. */
static char *
directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? xstrdup(".")
           : slash == path ? xstrdup("/") : xmemdup0(path, slash - path);
}

/* True if 'path' is 'root' or below it.  Both are real paths. */
static bool
is_below(const char *path, const char *root)
{
    size_t n = strlen(root);
    return !strcmp(root, "/")
           || (!strncmp(path, root, n)
               && (path[n] == '/' || path[n] == '\0'));
}

/* Reading one file and what it includes. */

static void read_file(struct reader *, const char *name, const char *root,
                      struct location from);

static void
read_include(struct reader *reader, const struct document *document,
             xmlNode *node, const char *root)
{
    struct location place = { .file = document->name,
                              .line = xml_line(node) };
    const char *href = xml_attribute(node, "href");
    if (href[0] == '/') {
        report_error(reader->report, place, "include '%s' is absolute; name "
                     "the file relative to this one", href);
        return;
    }
    char *base = directory_of(document->name);
    char *name = strchr(document->name, '/')
                 ? xasprintf("%s/%s", strcmp(base, "/") ? base : "", href)
                 : xstrdup(href);
    read_file(reader, name, root, place);
    free(base);
    free(name);
}

static bool
has_parent_step(const char *path)
{
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2])) {
            return true;
        }
    }
    return false;
}

static void
read_document(struct reader *reader, const char *name, const char *real,
              const char *root)
{
    name = topology_intern_file(reader->topology, name);
    sset_add(&reader->report->files, name);
    xmlDoc *doc = xml_read(real, name, reader->schema, reader->report);
    if (!doc) {
        return;
    }
    if (reader->n >= reader->allocated) {
        reader->documents = x2nrealloc(reader->documents, &reader->allocated,
                                       sizeof *reader->documents);
    }
    if (reader->digests) {
        shash_find(&reader->topology->files, name)->data = xml_digest(doc);
    }
    struct document document = { .name = name, .doc = doc,
                                 .directory = directory_of(real) };
    reader->documents[reader->n++] = document;

    xmlNode *node = xml_first(xmlDocGetRootElement(doc));
    for (; node; node = xml_next(node)) {
        if (!xml_is(node, "include")) {
            continue;
        }
        if (has_parent_step(xml_attribute(node, "href"))) {
            report_error(reader->report,
                         (struct location) { .file = name,
                                             .line = xml_line(node) },
                         "include '%s' has '..' in it; an include may not "
                         "leave the directory", xml_attribute(node, "href"));
        } else {
            read_include(reader, &document, node, root);
        }
    }
}

/* Reads the file 'name', which must lie below 'root' (a real path), unless it
 * was read already.  'from' is where it is named. */
static void
read_file(struct reader *reader, const char *name, const char *root,
          struct location from)
{
    char *real = realpath(name, NULL);
    if (!real) {
        report_error(reader->report, from, "cannot read '%s': %s", name,
                     ovs_strerror(errno));
    } else if (!is_below(real, root)) {
        report_error(reader->report, from, "'%s' leads out of the directory "
                     "of the topology; manifests must lie inside", name);
    } else if (sset_add(&reader->seen, real)) {
        read_document(reader, name, real, root);
    }
    free(real);
}

/* Directories. */

static bool
is_manifest(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && !strcmp(name + n - 4, ".xml");
}

static void
collect(struct reader *reader, const char *directory, const char *root,
        int depth, struct svec *files)
{
    char *real = realpath(directory, NULL);
    bool new = real && is_below(real, root) && sset_add(&reader->seen, real);
    free(real);
    if (!new) {
        return;
    }
    if (depth > MAX_DEPTH) {
        report_error(reader->report, about(directory), "directories are "
                     "nested deeper than %d; move the manifests up",
                     MAX_DEPTH);
        return;
    }
    DIR *dir = opendir(directory);
    if (!dir) {
        report_error(reader->report, about(directory), "cannot read: %s",
                     ovs_strerror(errno));
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *path = xasprintf("%s/%s", directory, entry->d_name);
        struct stat st;
        if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
            collect(reader, path, root, depth + 1, files);
        } else if (is_manifest(entry->d_name)) {
            svec_add(files, path);
        }
        free(path);
    }
    closedir(dir);
}

static void
read_directory(struct reader *reader, const char *path)
{
    char *directory = xstrdup(path);
    size_t n = strlen(directory);
    while (n > 1 && directory[n - 1] == '/') {
        directory[--n] = '\0';
    }
    char *root = realpath(directory, NULL);
    struct svec files = SVEC_EMPTY_INITIALIZER;
    collect(reader, directory, root ? root : directory, 1, &files);
    svec_sort(&files);
    const char *file;
    size_t i;
    SVEC_FOR_EACH (i, file, &files) {
        read_file(reader, file, root, about(file));
    }
    if (!files.n) {
        report_error(reader->report, about(path), "no manifest in this "
                     "directory; their names end in .xml");
    }
    svec_destroy(&files);
    free(root);
    free(directory);
}

static void
read_path(struct reader *reader, const char *path)
{
    struct stat st;
    if (stat(path, &st)) {
        report_error(reader->report, about(path), "cannot read: %s",
                     ovs_strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        read_directory(reader, path);
    } else {
        char *real = realpath(path, NULL);
        char *root = directory_of(real ? real : path);
        read_file(reader, path, root, about(path));
        free(real);
        free(root);
    }
}

/* The whole. */

static void
read_all(struct reader *reader, const char *const paths[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        read_path(reader, paths[i]);
    }
    if (!reader->report->n_errors) {
        interpret(reader->topology, reader->documents, reader->n,
                  reader->report);
        topology_number_segments(reader->topology);
        if (reader->report->n_errors) {
            check_declarations(reader->topology, reader->report);
        }
    }
    for (size_t i = 0; i < reader->n; i++) {
        xmlFreeDoc(reader->documents[i].doc);
        free(reader->documents[i].directory);
    }
    free(reader->documents);
}

static struct topology *
read_topology(const char *const paths[], size_t n, bool digests,
              struct report *report)
{
    struct reader reader = {
        .report = report, .schema = xml_schema_create(&xml_manifest),
        .digests = digests,
    };
    size_t n_errors = report->n_errors;
    reader.topology = topology_create();
    sset_init(&reader.seen);
    read_all(&reader, paths, n);
    sset_destroy(&reader.seen);
    xml_schema_destroy(reader.schema);
    if (report->n_errors > n_errors) {
        topology_destroy(reader.topology);
        return NULL;
    }
    return reader.topology;
}

struct topology *
manifest_read(const char *const paths[], size_t n, struct report *report)
{
    return read_topology(paths, n, false, report);
}

struct topology *
manifest_read_with_digests(const char *const paths[], size_t n,
                           struct report *report)
{
    return read_topology(paths, n, true, report);
}
