#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "config/config.h"
#include "config/config_reading.h"
#include "config/toml_bounds.h"

/* A file that is being read, and the file that names it as its base; NULL: the user named it. */
typedef struct source {
    const char *path;
    char *text;
    struct stat identity;
    const struct source *based; /* the file that is based on this one */
} source;

/* ---- text ---- */

/* The rest of `file`, with a NUL at the end. */
static dd_status read_text(source *s, FILE *file)
{
    size_t length = 0, room = 0;
    for (;;) {
        if (length + 1 >= room) {
            room = room ? 2 * room : 8192;
            if (room > 2 * DD_TOML_LONGEST)
                return dd_fail(DD_ERR_CONFIG, "%s: too large for a configuration file", s->path);
            char *longer = realloc(s->text, room);
            if (!longer)
                return dd_fail(DD_ERR_MEMORY, "%s: out of memory", s->path);
            s->text = longer;
        }
        size_t got = fread(s->text + length, 1, room - length - 1, file);
        length += got;
        if (!got)
            break;
    }
    if (ferror(file))
        return dd_fail(DD_ERR_IO, "%s: %s", s->path, strerror(errno));
    s->text[length] = '\0';
    if (strlen(s->text) != length)
        return dd_fail(DD_ERR_CONFIG, "%s: not a text file (a NUL byte)", s->path);
    return DD_OK;
}

static dd_status load(source *s)
{
    FILE *file = fopen(s->path, "r");
    if (!file || fstat(fileno(file), &s->identity)) {
        int error = errno;
        if (file)
            fclose(file);
        return dd_fail(DD_ERR_IO, "%s: %s; `dualdiff configs` lists the configurations that come with the program",
                       s->path, strerror(error));
    }
    dd_status status = read_text(s, file);
    fclose(file);
    return status;
}

/* ---- the base ---- */

typedef struct base {
    const char *origin;
    char *path; /* NULL: the file has none */
    int line, column;
} base;

static bool is_base(const dd_toml_value *v)
{
    return !*v->section && !strcmp(v->key, "base");
}

static dd_status note_base(void *user, const dd_toml_value *v)
{
    base *b = user;
    if (!is_base(v))
        return DD_OK;
    if (v->type != DD_TOML_STRING)
        return dd_fail(DD_ERR_CONFIG, "%s: line %d, column %d: base: %s, but a string is expected, the path of a file",
                       b->origin, v->line, v->column, v->type_name);
    const char *slash = *v->string == '/' ? NULL : strrchr(b->origin, '/');
    b->line = v->line;
    b->column = v->column;
    if (asprintf(&b->path, "%.*s%s", slash ? (int)(slash + 1 - b->origin) : 0, b->origin, v->string) < 0)
        return dd_fail(DD_ERR_MEMORY, "%s: out of memory", b->origin);
    return DD_OK;
}

/* A file may have several names, so device and inode are compared, not the names. */
static dd_status check_circle(const source *s)
{
    for (const source *above = s->based; above; above = above->based)
        if (above->identity.st_dev == s->identity.st_dev && above->identity.st_ino == s->identity.st_ino)
            return dd_fail(DD_ERR_CONFIG, "a circle of bases: %s is itself based on %s; remove the base of one of them",
                           s->path, s->based->path);
    return DD_OK;
}

static dd_status overlay(source *s, dd_config *config);

static dd_status overlay_base(const source *s, const base *b, dd_config *config)
{
    source below = {.path = b->path, .based = s};
    dd_status status = load(&below);
    if (!status)
        status = check_circle(&below);
    if (status)
        dd_fail_context("%s: line %d, column %d: base", b->origin, b->line, b->column);
    else
        status = overlay(&below, config);
    free(below.text);
    return status;
}

/* ---- the file and its bases ---- */

static dd_status take_key(void *user, const dd_toml_value *v)
{
    return is_base(v) ? DD_OK : dd_config_take(user, v);
}

/* Read the base first, so that the file's own keys override those of the base. */
static dd_status overlay(source *s, dd_config *config)
{
    base b = {.origin = s->path};
    dd_config_reading reading = {config, s->path};
    dd_status status = dd_toml_parse(s->text, s->path, note_base, &b);
    if (!status && b.path)
        status = overlay_base(s, &b, config);
    free(b.path);
    return status ? status : dd_toml_parse(s->text, s->path, take_key, &reading);
}

dd_status dd_config_overlay(const char *path, dd_config *config)
{
    dd_config read = *config; /* a file with an error changes nothing */
    source s = {.path = path};
    dd_status status = load(&s);
    if (!status)
        status = overlay(&s, &read);
    free(s.text);
    if (!status)
        *config = read;
    return status;
}

dd_status dd_config_read(const char *path, dd_config *config)
{
    dd_config_defaults(config);
    return dd_config_overlay(path, config);
}
