/*
 * symbols.h: names for addresses of code.
 *
 * Functions come from the symbol tables of the files that are loaded, read where they are asked for, so that local
 * functions of static and of position-independent programs have their names too. Files and lines come from addr2line
 * (binutils), which is run for all addresses of a file at once; where it is not installed they are left out.
 */
#ifndef GOS_DEBUG_SYMBOLS_H
#define GOS_DEBUG_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gos__symbol {
    char function[200]; /* "" where no table has it */
    uintptr_t offset;   /* into the function */
    char file[256];     /* "": no loaded file is there */
    uintptr_t in_file;  /* the address as the file's own tables have it */
} gos__symbol;

/* What is at an address; takes a descriptor for a moment. */
void gos__symbol_find(uintptr_t address, gos__symbol *symbol);

/* The address of code whose lower half is `low`; 0: none is, or, which is unlikely, several are. */
uintptr_t gos__symbol_whole(uint32_t low);

/* A line for each of n addresses: function, and file and line if they are known; and one for each function that this
 * one is inlined into. */
typedef struct gos__names {
    size_t n;
    const uintptr_t *addresses; /* sorted, each once */
    const char **lines;
    char *memory;
    size_t size;
} gos__names;

/* Sorts the addresses, which stay the caller's until gos__names_free, and drops those that are there twice. Calls
 * `meanwhile`, if given, every few milliseconds, since files of many megabytes take a while. */
void gos__names_find(gos__names *names, uintptr_t *addresses, size_t n, void (*meanwhile)(void));
void gos__names_free(gos__names *names);
const char *gos__name_of(const gos__names *names, uintptr_t address);

#endif
