/* The tables of a profile: see profile.h. */

#ifndef SDFW_PROFILE_SCHEMA_H
#define SDFW_PROFILE_SCHEMA_H 1

/* "sdfw" in ASCII; PRAGMA application_id tells a profile from other
 * databases, PRAGMA user_version its version. */
#define PROFILE_APPLICATION_ID "1935959671"
#define PROFILE_VERSION 1

/* 'tuple' holds single connections: those of which is not known who opened
 * them (known = 0; a <= b), and those that an import may tell of again with
 * larger counts (known = 1; a has opened them, and they are in 'entry',
 * too). */
#define PROFILE_SCHEMA \
    "PRAGMA application_id = " PROFILE_APPLICATION_ID ";" \
    "PRAGMA user_version = 1;" \
    "CREATE TABLE observer (id INTEGER PRIMARY KEY," \
    "  name TEXT NOT NULL UNIQUE);" \
    "CREATE TABLE end (id INTEGER PRIMARY KEY, segment TEXT NOT NULL," \
    "  address BLOB NOT NULL, mac BLOB, name TEXT," \
    "  UNIQUE (segment, address));" \
    "CREATE TABLE entry (observer INTEGER NOT NULL," \
    "  client INTEGER NOT NULL, server INTEGER NOT NULL," \
    "  protocol INTEGER NOT NULL, port INTEGER NOT NULL," \
    "  code INTEGER NOT NULL, connections INTEGER NOT NULL," \
    "  unanswered INTEGER NOT NULL, packets INTEGER NOT NULL," \
    "  bytes INTEGER NOT NULL, first INTEGER NOT NULL," \
    "  last INTEGER NOT NULL," \
    "  PRIMARY KEY (client, server, protocol, port, code, observer))" \
    "  WITHOUT ROWID;" \
    "CREATE TABLE tuple (observer INTEGER NOT NULL, known INTEGER NOT NULL," \
    "  a INTEGER NOT NULL, b INTEGER NOT NULL, protocol INTEGER NOT NULL," \
    "  a_port INTEGER NOT NULL, b_port INTEGER NOT NULL," \
    "  packets INTEGER NOT NULL, bytes INTEGER NOT NULL," \
    "  unanswered INTEGER NOT NULL," \
    "  first INTEGER NOT NULL, last INTEGER NOT NULL," \
    "  PRIMARY KEY (known, a, b, protocol, a_port, b_port, observer))" \
    "  WITHOUT ROWID;" \
    "CREATE TABLE import (digest TEXT PRIMARY KEY, name TEXT NOT NULL," \
    "  time INTEGER NOT NULL) WITHOUT ROWID;"

#endif /* profile-schema.h */
