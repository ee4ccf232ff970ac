/* An outside program on libskua alone, compiled as C and as C++: keys, text, an endpoint. */
#include <stdio.h>
#include <string.h>

#include <skua/skua.h>

/* Repeatable bytes; a real program asks its system. */
static void fill(void *user, void *out, size_t len)
{
    unsigned char *bytes = (unsigned char *)out;
    unsigned char *next = (unsigned char *)user;
    size_t i;
    for (i = 0; i < len; i++) {
        bytes[i] = (*next)++;
    }
}

int main(void)
{
    unsigned char next = 1;
    struct skua_rng rng;
    struct skua_secret_key secret;
    struct skua_key key;
    struct skua_key read_back;
    char text[SKUA_KEY_TEXT_LEN];
    struct skua_config config = SKUA_CONFIG_INIT;
    struct skua_endpoint *ep = NULL;

    rng.fill = fill;
    rng.user = &next;
    if (skua_init() != SKUA_OK) {
        return 1;
    }
    skua_key_generate(&secret, &rng);
    skua_key_public(&key, &secret);
    skua_key_format(text, &key);
    if (skua_key_parse(&read_back, text) != SKUA_OK || memcmp(&key, &read_back, sizeof key) != 0) {
        return 2;
    }
    config.key = &secret;
    config.rng = &rng;
    if (skua_endpoint_new(&ep, &config) != SKUA_OK ||
        memcmp(skua_endpoint_key(ep), &key, sizeof key) != 0) {
        return 3;
    }
    skua_endpoint_free(ep);
    printf("%s: %s\n", skua_err_name(SKUA_EINVAL), skua_strerror(SKUA_EINVAL));
    return 0;
}
