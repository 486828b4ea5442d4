/* The 64-bit FNV-1a hash (Fowler, Noll & Vo).
 *
 *     uint64_t hash = dd_fnv1a(DD_FNV1A_START, name, strlen(name));      // hash again to append
 */
#ifndef DD_FNV_H
#define DD_FNV_H

#include <stddef.h>
#include <stdint.h>

#define DD_FNV1A_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t dd_fnv1a(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
