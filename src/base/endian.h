/* Big-endian integers in memory, as the wire has them.
 *
 * Written out byte by byte, without loops: in this form compilers see one load or store and a swap
 * of bytes, whatever the machine's order. Every packet takes dozens of them. */
#ifndef SKUA_BASE_ENDIAN_H
#define SKUA_BASE_ENDIAN_H

#include <stdint.h>

static inline uint16_t skua_load_be16(const uint8_t p[2])
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t skua_load_be32(const uint8_t p[4])
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t skua_load_be64(const uint8_t p[8])
{
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
           (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
           (uint64_t)p[6] << 8 | p[7];
}

static inline void skua_store_be16(uint8_t p[2], uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void skua_store_be32(uint8_t p[4], uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void skua_store_be64(uint8_t p[8], uint64_t v)
{
    p[0] = (uint8_t)(v >> 56);
    p[1] = (uint8_t)(v >> 48);
    p[2] = (uint8_t)(v >> 40);
    p[3] = (uint8_t)(v >> 32);
    p[4] = (uint8_t)(v >> 24);
    p[5] = (uint8_t)(v >> 16);
    p[6] = (uint8_t)(v >> 8);
    p[7] = (uint8_t)v;
}

#endif
