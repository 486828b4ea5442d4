#include "cli/completion.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "config/config.h"
#include "data/generators.h"
#include "metrics/metrics.h"

/* ---- what a word can be ---- */

/* What can complete a word or an option's value, by its name in --help. */
typedef enum kind { NOTHING, FILES, FOLDERS, RUNS, CONFIGS, DATASETS, KEYS, METRICS, COMMANDS, CHOICE, KINDS } kind;

static bool is_choice(const char *value)
{
    if (!strchr(value, '|'))
        return false;
    for (; *value; value++)
        if (!islower((unsigned char)*value) && *value != '|')
            return false;
    return true;
}

static kind kind_of(const char *option, const char *value)
{
    static const struct {
        const char *word;
        kind kind;
    } words[] = {{"DATASET", DATASETS}, {"RUN.h5", RUNS}, {"CONFIG", CONFIGS},  {"KEY=VALUE", KEYS},
                 {"DIR", FOLDERS},      {"FILE", FILES},  {"COMMAND", COMMANDS}};
    if (!value)
        return NOTHING;
    if (!strcmp(option, "dataset"))
        return DATASETS;
    if (!strcmp(option, "metric"))
        return METRICS;
    if (is_choice(value))
        return CHOICE;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(value, words[i].word))
            return words[i].kind;
    return NOTHING;
}

/* ---- lists, separated by spaces ---- */

static void print_words(const char *choice)
{
    for (; *choice; choice++)
        putchar(*choice == '|' ? ' ' : *choice);
}

static void print_commands(void)
{
    for (int i = 0; dd_commands[i]; i++)
        printf("%s%s", i ? " " : "", dd_commands[i]->name);
}

static void print_datasets(void)
{
    for (int i = 0; dd_generators[i]; i++)
        printf("%s%s", i ? " " : "", dd_generators[i]->name);
}

static void print_metrics(void)
{
    printf("all");
    for (int i = 0; i < DD_METRICS; i++)
        printf(" %s", dd_metric_table[i].name);
}

static void print_keys(void)
{
    const char *section, *key;
    for (int i = 0; dd_config_key(i, &section, &key); i++)
        printf("%s%s.%s=", i ? " " : "", section, key);
}

/* A help text's first sentence or line as a description in single quotes. */
static void print_description(const char *text)
{
    for (size_t i = 0; text[i] && text[i] != '\n' && i < 100; i++) {
        if ((text[i] == '.' || text[i] == ';') && (text[i + 1] == ' ' || !text[i + 1]))
            break;
        if (!strchr("'[]:\\\"`$", text[i]))
            putchar(text[i]);
    }
}

/* ---- bash ---- */

static void bash_words_of_kind(kind k)
{
    static const char *const found[KINDS] = {[NOTHING] = ":",  [FILES] = "files",     [FOLDERS] = "folders",
                                             [RUNS] = "files", [CONFIGS] = "configs", [DATASETS] = "datasets",
                                             [KEYS] = "keys",  [METRICS] = "metrics", [COMMANDS] = "commands"};
    printf("kind=%s", found[k]);
}

static void bash_value(const char *option, const char *value)
{
    kind k = kind_of(option, value);
    if (k != CHOICE) {
        bash_words_of_kind(k);
        return;
    }
    printf("kind=words words='");
    print_words(value);
    printf("'");
}

static void bash_command(const dd_command *c)
{
    printf("    %s)\n        options='", c->name);
    for (const dd_option *o = c->options; o->name; o++)
        printf("--%s ", o->name);
    printf("--help'\n        case $option in\n");
    for (const dd_option *o = c->options; o->name; o++) {
        if (!o->value)
            continue;
        printf("        --%s) many=%d ", o->name, o->many);
        bash_value(o->name, o->value);
        printf(" ;;\n");
    }
    printf("        esac\n        [ -n \"$kind\" ] && [ \"$many$behind\" != 00 ] || ");
    printf("{ ");
    bash_value("", c->words_name);
    printf("; }\n        ;;\n");
}

static void print_bash(void)
{
    printf("# Completion of dualdiff for bash; made by `dualdiff completion bash`.\n"
           "_dualdiff() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} option= options= kind= words= many=0 behind=1 i\n"
           "    COMPREPLY=()\n"
           "    if ((COMP_CWORD == 1)); then\n"
           "        mapfile -t COMPREPLY < <(compgen -W '");
    print_commands();
    printf(" --help --version' -- \"$current\")\n"
           "        return\n"
           "    fi\n"
           "    # the last option before the cursor, and whether the cursor is directly behind it\n"
           "    for ((i = COMP_CWORD - 1; i > 1; i--)); do\n"
           "        if [[ ${COMP_WORDS[i]} == --* ]]; then\n"
           "            option=${COMP_WORDS[i]}\n"
           "            ((i == COMP_CWORD - 1)) || behind=0\n"
           "            break\n"
           "        fi\n"
           "    done\n"
           "    case ${COMP_WORDS[1]} in\n");
    for (int i = 0; dd_commands[i]; i++)
        bash_command(dd_commands[i]);
    printf("    *) return ;;\n"
           "    esac\n"
           "    [[ $current == -* ]] && kind=words words=$options\n"
           "    case $kind in\n"
           "    words) ;;\n"
           "    commands) words='");
    print_commands();
    printf("' ;;\n    datasets) words='");
    print_datasets();
    printf("' ;;\n    metrics) words='");
    print_metrics();
    printf("' ;;\n    keys) words='");
    print_keys();
    printf("'; compopt -o nospace ;;\n"
           "    configs) words=$(\"${COMP_WORDS[0]}\" configs 2>/dev/null | awk 'NR > 1 && !NF { exit } NR > 1 { print "
           "$1 }') ;;\n"
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\"\n"
           "        case $kind in\n"
           "        files | configs | datasets) compgen -f -- \"$current\" ;;\n"
           "        folders) compgen -d -- \"$current\" ;;\n"
           "        esac)\n"
           "    case $kind in files | configs | datasets | folders) compopt -o filenames ;; esac\n"
           "}\n"
           "complete -F _dualdiff dualdiff\n");
}

/* ---- zsh ---- */

static void zsh_action(const char *option, const char *value)
{
    static const char *const action[KINDS] = {[NOTHING] = " ",
                                              [FILES] = "_files",
                                              [FOLDERS] = "_files -/",
                                              [RUNS] = "_files",
                                              [CONFIGS] = "_dualdiff_configs",
                                              [DATASETS] = "_dualdiff_datasets",
                                              [KEYS] = "_dualdiff_keys",
                                              [METRICS] = "_dualdiff_metrics",
                                              [COMMANDS] = "_dualdiff_commands"};
    kind k = kind_of(option, value);
    if (k != CHOICE) {
        printf("%s", action[k]);
        return;
    }
    printf("(");
    print_words(value);
    printf(")");
}

static void zsh_command(const dd_command *c)
{
    printf("        %s)\n            _arguments", c->name);
    for (const dd_option *o = c->options; o->name; o++) {
        printf(" \\\n                '%s--%s[", o->many ? "*" : "", o->name);
        print_description(o->help);
        printf("]");
        if (o->value) {
            printf("%s:", o->many ? ":*--*" : "");
            print_description(o->value);
            printf(":");
            zsh_action(o->name, o->value);
        }
        printf("'");
    }
    printf(" \\\n                '--help[print this]'");
    if (c->words_name) {
        printf(" \\\n                '*:");
        print_description(c->words_name);
        printf(":");
        zsh_action("", c->words_name);
        printf("'");
    }
    printf("\n            ;;\n");
}

static void zsh_list(const char *name, void (*print)(void), const char *more)
{
    printf("_dualdiff_%s() {\n    compadd %s -- ", name, more);
    print();
    printf("\n}\n");
}

static void print_zsh(void)
{
    printf("#compdef dualdiff\n# Completion of dualdiff for zsh; made by `dualdiff completion zsh`.\n");
    zsh_list("metrics", print_metrics, "");
    zsh_list("keys", print_keys, "-S ''");
    zsh_list("commands", print_commands, "");
    printf("_dualdiff_datasets() {\n    compadd -- ");
    print_datasets();
    printf("\n    _files\n}\n"
           "_dualdiff_configs() {\n"
           "    compadd -- $(dualdiff configs 2>/dev/null | awk 'NR > 1 && !NF { exit } NR > 1 { print $1 }')\n"
           "    _files -g '*.(toml|h5)'\n}\n"
           "_dualdiff() {\n"
           "    local curcontext=\"$curcontext\" state line\n"
           "    _arguments -C '1:command:->command' '*::argument:->argument'\n"
           "    case $state in\n"
           "    command)\n"
           "        local -a commands=(");
    for (int i = 0; dd_commands[i]; i++) {
        printf("\n            '%s:", dd_commands[i]->name);
        print_description(dd_commands[i]->summary);
        printf("'");
    }
    printf(")\n        _describe command commands\n        ;;\n    argument)\n        case $line[1] in\n");
    for (int i = 0; dd_commands[i]; i++)
        zsh_command(dd_commands[i]);
    printf("        esac\n        ;;\n    esac\n}\n_dualdiff \"$@\"\n");
}

/* ---- fish ---- */

static void fish_words(const char *option, const char *value)
{
    kind k = kind_of(option, value);
    static const char *const list[KINDS] = {
        [CONFIGS] = "(__dualdiff_configs)", [FOLDERS] = "(__fish_complete_directories)"};
    void (*print[KINDS])(void) = {
        [DATASETS] = print_datasets, [KEYS] = print_keys, [METRICS] = print_metrics, [COMMANDS] = print_commands};
    if (k == FILES || k == RUNS || k == CONFIGS || k == DATASETS)
        printf(" -F");
    if (!list[k] && !print[k] && k != CHOICE)
        return;
    printf(" -a '");
    if (k == CHOICE)
        print_words(value);
    else if (list[k])
        printf("%s", list[k]);
    else
        print[k]();
    printf("'");
}

static void fish_command(const dd_command *c)
{
    printf("complete -c dualdiff -n __fish_use_subcommand -a %s -d '", c->name);
    print_description(c->summary);
    printf("'\n");
    for (const dd_option *o = c->options; o->name; o++) {
        printf("complete -c dualdiff -n '__fish_seen_subcommand_from %s' -l %s%s", c->name, o->name,
               o->value ? " -r" : "");
        if (o->value)
            fish_words(o->name, o->value);
        printf(" -d '");
        print_description(o->help);
        printf("'\n");
    }
    if (c->words_name) {
        printf("complete -c dualdiff -n '__fish_seen_subcommand_from %s'", c->name);
        fish_words("", c->words_name);
        printf("\n");
    }
}

static void print_fish(void)
{
    printf("# Completion of dualdiff for fish; made by `dualdiff completion fish`.\n"
           "function __dualdiff_configs\n"
           "    dualdiff configs 2>/dev/null | awk 'NR > 1 && !NF { exit } NR > 1 { print $1 }'\n"
           "end\n"
           "complete -c dualdiff -f\n"
           "complete -c dualdiff -n __fish_use_subcommand -l version -s V -d 'program version, commit and backends'\n"
           "complete -c dualdiff -l help -s h -d 'print help'\n");
    for (int i = 0; dd_commands[i]; i++)
        fish_command(dd_commands[i]);
}

dd_status dd_completion_print(const char *shell)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (int i = 0; i < 3; i++)
        if (!strcmp(shell, shells[i].shell)) {
            shells[i].print();
            return DD_OK;
        }
    return dd_fail(DD_ERR_USAGE, "completion: no script for '%s'; shells are bash, zsh and fish", shell);
}
