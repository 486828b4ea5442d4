#define _GNU_SOURCE /* asprintf */
#include "cli/manual.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/directories.h"
#include "base/error.h"
#include "cli/commands.h"
#include "version.h"

/* ---- text as roff ---- */

/* Text, escaped so that roff finds no request, no hyphen for a line break and no typographic quote. */
static void put_text(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool starts_line = !i || text[i - 1] == '\n';
        switch (text[i]) {
        case '\\':
            fputs("\\e", out);
            break;
        case '-':
            fputs("\\-", out);
            break;
        case '`':
            fputs("\\(ga", out);
            break;
        case '\'':
            fputs(starts_line ? "\\&\\(aq" : "\\(aq", out);
            break;
        case '.':
            fputs(starts_line ? "\\&." : ".", out);
            break;
        default:
            fputc(text[i], out);
        }
    }
}

static void put(FILE *out, const char *text)
{
    put_text(out, text, strlen(text));
}

/* An empty line begins a paragraph, a newline a line. */
static void put_paragraphs(FILE *out, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        put_text(out, text, length);
        text += length;
        if (!strncmp(text, "\n\n", 2))
            fputs("\n.PP\n", out);
        else if (*text)
            fputs("\n.br\n", out);
        text += strspn(text, "\n");
    }
    fputc('\n', out);
}

static void put_head(FILE *out, const char *title)
{
    fprintf(out, ".TH \"%s\" 1 \"\" \"dualdiff %s\" \"dualdiff\"\n.nh\n.ad l\n", title, DD_VERSION);
}

static void put_notes(FILE *out, const char *title, const dd_note *note)
{
    fprintf(out, ".SH %s\n", title);
    for (; note->name; note++) {
        fprintf(out, ".TP\n.B %s\n", note->name);
        put_paragraphs(out, note->text);
    }
}

/* ---- pages ---- */

static void put_options(FILE *out, const dd_option *option)
{
    fputs(".SH OPTIONS\n", out);
    for (; option->name; option++) {
        fputs(".TP\n\\fB\\-\\-", out);
        put(out, option->name);
        fputs("\\fR", out);
        if (option->value) {
            fputs(" \\fI", out);
            put(out, option->value);
            fputs(option->many ? "\\fR ..." : "\\fR", out);
        }
        fputc('\n', out);
        put_paragraphs(out, option->help);
    }
    fputs(".TP\n\\fB\\-\\-help\\fR\nprint this\n", out);
}

/* Lines that are indented in --help. */
static void put_examples(FILE *out, const char *examples)
{
    fputs(".SH EXAMPLES\n.nf\n", out);
    while (*examples) {
        size_t length;
        examples += strspn(examples, " ");
        length = strcspn(examples, "\n");
        put_text(out, examples, length);
        fputc('\n', out);
        examples += length + (examples[length] == '\n');
    }
    fputs(".fi\n", out);
}

static void put_command(FILE *out, const dd_command *c)
{
    char title[64];
    snprintf(title, sizeof title, "dualdiff-%s", c->name);
    put_head(out, title);
    fputs(".SH NAME\ndualdiff\\-", out);
    put(out, c->name);
    fputs(" \\- ", out);
    put(out, c->summary);
    fputs("\n.SH SYNOPSIS\n.B dualdiff ", out);
    put(out, c->name);
    fputc('\n', out);
    put_paragraphs(out, c->synopsis);
    fputs(".SH DESCRIPTION\n", out);
    put_paragraphs(out, c->description);
    put_options(out, c->options);
    put_notes(out, "EXIT STATUS", dd_exit_status);
    if (c->examples)
        put_examples(out, c->examples);
    fputs(".SH SEE ALSO\n.BR dualdiff (1)\n", out);
}

static void put_program(FILE *out)
{
    put_head(out, "dualdiff");
    fputs(".SH NAME\ndualdiff \\- ", out);
    put(out, dd_program_summary);
    fputs("\n.SH SYNOPSIS\n.B dualdiff\n.I COMMAND\n\\&...\n.SH DESCRIPTION\n"
          "Trains, samples, measures and compares small denoising diffusion models of points of a few coordinates, "
          "whose noise "
          "is predicted by expert networks and a gate. Each command has a separate page.\n.SH COMMANDS\n",
          out);
    for (int i = 0; dd_commands[i]; i++) {
        fputs(".TP\n.BR dualdiff\\-", out);
        put(out, dd_commands[i]->name);
        fputs(" (1)\n", out);
        put_paragraphs(out, dd_commands[i]->summary);
    }
    put_notes(out, "EXIT STATUS", dd_exit_status);
    put_notes(out, "ENVIRONMENT", dd_environment);
}

/* command: NULL for the program's page. */
static dd_status write_page(const char *dir, const dd_command *command)
{
    char *path;
    if (asprintf(&path, "%s/dualdiff%s%s.1", dir, command ? "-" : "", command ? command->name : "") < 0)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = dd_make_directories(path, "--man");
    FILE *out = status ? NULL : fopen(path, "w");
    if (out && command)
        put_command(out, command);
    else if (out)
        put_program(out);
    bool failed = out && ferror(out);
    if (!status && (!out || fclose(out) || failed))
        status = dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    free(path);
    return status;
}

dd_status dd_manual_write(const char *dir)
{
    DD_TRY(write_page(dir, NULL));
    for (int i = 0; dd_commands[i]; i++)
        DD_TRY(write_page(dir, dd_commands[i]));
    return DD_OK;
}
