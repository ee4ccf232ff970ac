/* How fast one processor makes the tags of skua cp's chunks (tools/file_mac.h), from memory larger
 * than its cache: one of the three things that a copy cannot be faster than.
 *
 *   mac [BYTES]        prints {"bytes_per_s": N} */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "file_mac.h"

enum { MEMORY = 64 << 20, CHUNK = 1 << 20 };

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    unsigned long long wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 1ull << 30;
    uint8_t *memory = malloc(MEMORY);
    struct skua_file_key key = {{1}};
    uint8_t tag[SKUA_FILE_TAG_LEN];
    unsigned long long done = 0;
    unsigned sum = 0;
    if (memory == NULL || sodium_init() < 0) {
        (void)fprintf(stderr, "mac: no memory or no libsodium\n");
        return 1;
    }
    memset(memory, 7, MEMORY);
    double start = now_s();
    for (uint64_t index = 0; done < wanted; index++, done += CHUNK) {
        struct skua_file_mac mac;
        skua_file_mac_init(&mac, &key, 1, index);
        skua_file_mac_update(&mac, memory + index * CHUNK % MEMORY, CHUNK);
        skua_file_mac_final(&mac, tag);
        sum += tag[0];
    }
    printf("{\"bytes_per_s\": %.0f, \"sum\": %u}\n", (double)done / (now_s() - start), sum);
    free(memory);
    return 0;
}
