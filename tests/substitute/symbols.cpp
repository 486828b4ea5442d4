/* Names of functions by address, static ones too, from the ELF symbol table of the file that holds them. */
#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "internal.h"

namespace substitute
{

struct Variable {
    std::string name;
    size_t offset, size; /* in the image's thread-local memory */
};
struct Table {
    std::map<uintptr_t, std::string> function; /* by offset in the loaded image */
    std::vector<Variable> thread_local_variable;
};

template <typename T> static bool read_at(std::ifstream &file, uint64_t offset, T *items, size_t count)
{
    file.seekg((std::streamoff)offset);
    file.read(reinterpret_cast<char *>(items), (std::streamsize)(count * sizeof *items));
    return file.good();
}

static Table read_table(const char *path)
{
    Table table;
    std::ifstream file(path, std::ios::binary);
    ElfW(Ehdr) header;
    if (!file || !read_at(file, 0, &header, 1) || std::string((char *)header.e_ident, SELFMAG) != ELFMAG)
        return table;
    std::vector<ElfW(Shdr)> section(header.e_shnum);
    if (!read_at(file, header.e_shoff, section.data(), section.size()))
        return table;
    for (const auto &symbols : section) {
        if (symbols.sh_type != SHT_SYMTAB || symbols.sh_link >= section.size())
            continue;
        const auto &strings = section[symbols.sh_link];
        std::vector<ElfW(Sym)> symbol(symbols.sh_size / sizeof(ElfW(Sym)));
        std::vector<char> text(strings.sh_size + 1, '\0');
        if (!read_at(file, symbols.sh_offset, symbol.data(), symbol.size()) ||
            !read_at(file, strings.sh_offset, text.data(), strings.sh_size))
            continue;
        for (const auto &s : symbol) {
            if (s.st_name >= strings.sh_size)
                continue;
            if ((s.st_info & 15) == STT_FUNC && s.st_value)
                table.function.emplace(s.st_value, text.data() + s.st_name);
            if ((s.st_info & 15) == STT_TLS && s.st_shndx != SHN_UNDEF)
                table.thread_local_variable.push_back({text.data() + s.st_name, s.st_value, s.st_size});
        }
    }
    return table;
}

/* "void reduce<256>(float const*, int)" to "reduce<256>" */
static std::string plain_name(const std::string &mangled)
{
    int status;
    char *text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
    std::string name = status == 0 ? text : mangled;
    free(text);
    const std::string anonymous = "(anonymous namespace)::";
    for (size_t at; (at = name.find(anonymous)) != std::string::npos;)
        name.erase(at, anonymous.size());
    int depth = 0;
    size_t begin = 0;
    for (size_t i = 0; i < name.size(); i++) {
        depth += name[i] == '<';
        depth -= name[i] == '>';
        if (depth == 0 && name[i] == ' ')
            begin = i + 1;
        if (depth == 0 && name[i] == '(')
            return name.substr(begin, i - begin);
    }
    return name;
}

/* The file that an address was loaded from, and its table; NULL if there is none. */
static const Table *table_of(const void *address, Dl_info *info, link_map **image)
{
    static std::map<std::string, Table> tables;
    if (!dladdr1(address, info, reinterpret_cast<void **>(image), RTLD_DL_LINKMAP))
        return nullptr;
    std::string path = (*image)->l_name && *(*image)->l_name ? (*image)->l_name : "/proc/self/exe";
    auto table = tables.find(path);
    if (table == tables.end())
        table = tables.emplace(path, read_table(path.c_str())).first;
    return &table->second;
}

bool find_shared_variables(char *(*anchor)(), std::vector<MemoryRange> *ranges)
{
    Dl_info info;
    link_map *image;
    const Table *table = table_of(reinterpret_cast<const void *>(anchor), &info, &image);
    if (!table)
        return false;
    char *base = nullptr;
    for (const Variable &variable : table->thread_local_variable)
        if (variable.name == "_ZN10substitute13shared_anchorE")
            base = anchor() - variable.offset;
    for (const Variable &variable : table->thread_local_variable)
        if (base && variable.name.rfind("_ZZ", 0) == 0) /* of a function */
            ranges->push_back({base + variable.offset, base + variable.offset + variable.size});
    return base;
}

std::string function_name(const void *function)
{
    static std::map<const void *, std::string> known;
    auto entry = known.find(function);
    if (entry != known.end())
        return entry->second;
    std::string name = "?";
    Dl_info info;
    link_map *image;
    if (const Table *table = table_of(function, &info, &image)) {
        auto symbol = table->function.find(reinterpret_cast<uintptr_t>(function) - image->l_addr);
        if (symbol != table->function.end())
            name = plain_name(symbol->second);
        else if (info.dli_sname && info.dli_saddr == function)
            name = plain_name(info.dli_sname);
    }
    return known[function] = name;
}

std::string source_line(const void *instruction)
{
    Dl_info info;
    link_map *image;
    if (!dladdr1(instruction, &info, reinterpret_cast<void **>(&image), RTLD_DL_LINKMAP))
        return "";
    /* A return address is behind the call. */
    uintptr_t offset = reinterpret_cast<uintptr_t>(instruction) - 1 - image->l_addr;
    std::string path = image->l_name && *image->l_name ? image->l_name : "/proc/" + std::to_string(getpid()) + "/exe";
    char command[PATH_MAX + 64], line[PATH_MAX + 32] = "";
    snprintf(command, sizeof command, "addr2line -s -e '%s' 0x%zx 2>/dev/null", path.c_str(), (size_t)offset);
    FILE *output = popen(command, "r");
    if (!output)
        return "";
    bool known = fgets(line, sizeof line, output) && *line != '?';
    pclose(output);
    line[strcspn(line, " \n")] = '\0';
    return known ? std::string(", at ") + line : "";
}

} // namespace substitute
