/* Manifests to model.
 *
 * A topology is one file, or a directory whose *.xml files (at any depth) are
 * merged.  Each file is parsed by libxml2 with entities, DTDs and the network
 * off, validated against schemas/manifest.xsd and read into a
 * 'struct topology'. */

#ifndef SDFW_MANIFEST_H
#define SDFW_MANIFEST_H 1

#include "model.h"
#include "report.h"

/* Reads the topology at each of the 'n' 'paths' (files or directories) into
 * one model.  Everything that is wrong goes to 'report', all of it in one
 * run.  Returns NULL if there is any error.  Warnings do not hinder.  The
 * caller frees the topology with topology_destroy(). */
struct topology *manifest_read(const char *const paths[], size_t n,
                               struct report *);

/* The same, and gives each of topology->files the SHA-256 of its canonical
 * form (Canonical XML 1.0, without comments) in hexadecimal as data. */
struct topology *manifest_read_with_digests(const char *const paths[],
                                            size_t n, struct report *);

#endif /* manifest.h */
