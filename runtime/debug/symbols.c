/* symbols.c: functions by address, from the symbol tables of the program and its libraries. */
#define _GNU_SOURCE
#include "debug/symbols.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"

typedef struct place {
    uintptr_t address;
    gos__symbol *symbol;
} place;

/* Of a file that is mapped here: whether n bytes at `offset` lie in it. */
typedef struct image {
    const char *at;
    size_t size;
} image;

static const void *part(const image *file, uint64_t offset, uint64_t n)
{
    return offset <= file->size && n <= file->size - offset ? file->at + offset : NULL;
}

/* The nearest function that begins at or before the address and does not end before it. */
static void search(const image *file, const Elf64_Shdr *table, const Elf64_Shdr *strings, gos__symbol *symbol)
{
    const Elf64_Sym *symbols = part(file, table->sh_offset, table->sh_size);
    const char *names = part(file, strings->sh_offset, strings->sh_size);
    uint64_t best = 0;
    for (size_t i = 0; symbols && names && i < table->sh_size / sizeof *symbols; i++) {
        const Elf64_Sym *it = &symbols[i];
        int type = ELF64_ST_TYPE(it->st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || !it->st_shndx || it->st_name >= strings->sh_size)
            continue;
        uint64_t size = it->st_size ? it->st_size : 1;
        bool is_in = it->st_value <= symbol->in_file && symbol->in_file - it->st_value < size;
        if (!is_in || it->st_value < best)
            continue;
        best = it->st_value;
        symbol->offset = symbol->in_file - it->st_value;
        snprintf(symbol->function, sizeof symbol->function, "%.*s", (int)(strings->sh_size - it->st_name),
                 names + it->st_name);
    }
}

static void search_file(gos__symbol *symbol)
{
    image file;
    file.at = gos__vm_map_file(symbol->file, &file.size);
    if (!file.at)
        return;
    const Elf64_Ehdr *header = part(&file, 0, sizeof *header);
    if (header && !memcmp(header->e_ident, ELFMAG, SELFMAG) && header->e_ident[EI_CLASS] == ELFCLASS64) {
        const Elf64_Shdr *sections = part(&file, header->e_shoff, (uint64_t)header->e_shnum * sizeof *sections);
        static const uint32_t tables[] = { SHT_SYMTAB, SHT_DYNSYM };
        for (int t = 0; t < 2 && !*symbol->function; t++)
            for (int i = 0; sections && i < header->e_shnum; i++)
                if (sections[i].sh_type == tables[t] && sections[i].sh_link < header->e_shnum)
                    search(&file, &sections[i], &sections[sections[i].sh_link], symbol);
    }
    gos__vm_unmap_file(file.at, file.size);
}

static int see_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    place *it = arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || it->address - start >= segment->p_memsz)
            continue;
        it->symbol->in_file = it->address - info->dlpi_addr;
        /* By number: it is also what a helper opens. */
        if (info->dlpi_name && *info->dlpi_name)
            snprintf(it->symbol->file, sizeof it->symbol->file, "%s", info->dlpi_name);
        else
            snprintf(it->symbol->file, sizeof it->symbol->file, "/proc/%d/exe", (int)getpid());
        return 1;
    }
    return 0;
}

void gos__symbol_find(uintptr_t address, gos__symbol *symbol)
{
    memset(symbol, 0, sizeof *symbol);
    place it = { address, symbol };
    if (dl_iterate_phdr(see_object, &it))
        search_file(symbol);
}

typedef struct half {
    uint32_t low;
    int found;
    uintptr_t whole;
} half;

static int see_code(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    half *it = arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr, ahead = (uint32_t)(it->low - (uint32_t)start);
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || ahead >= segment->p_memsz)
            continue;
        it->found++;
        it->whole = start + ahead;
    }
    return 0;
}

uintptr_t gos__symbol_whole(uint32_t low)
{
    half it = { .low = low };
    if (low)
        dl_iterate_phdr(see_code, &it);
    return it.found == 1 ? it.whole : 0;
}
