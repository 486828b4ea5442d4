#include "config/toml.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <toml++/toml.h>

#include "base/error.h"
#include "config/toml_bounds.h"

namespace
{

struct item {
    std::string section, key;
    toml::source_position place;
    const toml::node *node; // nullptr: a section without keys
};

const char *type_name(const toml::node &node)
{
    switch (node.type()) {
    case toml::node_type::table:
        return "a table";
    case toml::node_type::array:
        return "an array";
    case toml::node_type::string:
        return "a string";
    case toml::node_type::integer:
        return "an integer";
    case toml::node_type::floating_point:
        return "a float";
    case toml::node_type::boolean:
        return "a boolean";
    default:
        return "a date or time";
    }
}

dd_status visit_item(const item &i, dd_status (*visit)(void *, const dd_toml_value *), void *user)
{
    dd_toml_value value = {};
    value.section = i.section.c_str();
    value.key = i.key.c_str();
    value.line = static_cast<int>(i.place.line);
    value.column = static_cast<int>(i.place.column);
    value.type = DD_TOML_OTHER;
    if (!i.node)
        return visit(user, &value);
    value.type_name = type_name(*i.node);
    std::vector<int64_t> integers;
    if (const auto *integer = i.node->as_integer()) {
        value.type = DD_TOML_INTEGER;
        value.integer = integer->get();
        value.real = static_cast<double>(integer->get());
    } else if (const auto *real = i.node->as_floating_point()) {
        value.type = DD_TOML_FLOAT;
        value.real = real->get();
    } else if (const auto *boolean = i.node->as_boolean()) {
        value.type = DD_TOML_BOOLEAN;
        value.integer = boolean->get();
    } else if (const auto *string = i.node->as_string()) {
        value.type = DD_TOML_STRING;
        value.string = string->get().c_str();
    } else if (const auto *array = i.node->as_array()) {
        bool only_integers = true;
        for (const auto &element : *array) {
            const auto *integer = element.as_integer();
            only_integers = only_integers && integer;
            if (integer)
                integers.push_back(integer->get());
        }
        if (only_integers)
            value.type = DD_TOML_INTEGERS;
        value.integers = integers.data();
        value.count = static_cast<int>(integers.size());
    }
    return visit(user, &value);
}

} // namespace

extern "C" const char *dd_toml_place(const char *origin, int line, int column, char *out)
{
    *out = '\0';
    if (std::strncmp(origin, "--set ", 6))
        std::snprintf(out, DD_TOML_PLACE, "line %d, column %d: ", line, column);
    return out;
}

extern "C" dd_status dd_toml_parse(const char *text, const char *origin,
                                   dd_status (*visit)(void *, const dd_toml_value *), void *user)
{
    if (dd_status status = dd_toml_check(text, origin))
        return status;
    try {
        const toml::table root = toml::parse(std::string_view(text), std::string_view(origin));
        std::vector<item> items;
        for (const auto &[name, node] : root) {
            std::string section(name.str());
            if (const auto *table = node.as_table()) {
                items.push_back({section, "", name.source().begin, nullptr});
                for (const auto &[key, value] : *table)
                    items.push_back({section, std::string(key.str()), key.source().begin, &value});
            } else {
                items.push_back({"", section, name.source().begin, &node});
            }
        }
        std::stable_sort(items.begin(), items.end(), [](const item &a, const item &b) {
            return a.place.line != b.place.line ? a.place.line < b.place.line : a.place.column < b.place.column;
        });
        for (const item &i : items)
            if (dd_status status = visit_item(i, visit, user))
                return status;
        return DD_OK;
    } catch (const toml::parse_error &error) {
        const auto at = error.source().begin;
        char place[DD_TOML_PLACE];
        return dd_fail(DD_ERR_CONFIG, "%s: %s%s", origin,
                       dd_toml_place(origin, static_cast<int>(at.line), static_cast<int>(at.column), place),
                       std::string(error.description()).c_str());
    } catch (const std::exception &error) {
        return dd_fail(DD_ERR_MEMORY, "%s: %s", origin, error.what());
    }
}
