/* The strike register: see early.h. */
#include "endpoint/early.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "base/time.h"

/* Beyond a token's own time: as long as a client repeats its SYN (handshake/early.h), and some
 * more. */
#define REPEATS_NS (128 * SKUA_SEC)
#define WINDOW_NS  (10 * SKUA_SEC)

/* A token that was used. */
struct strike {
    struct skua_node link; /* in `by_age`; first member */
    skua_time until;       /* when it may be forgotten */
    uint8_t name[SKUA_EARLY_NAME_LEN];
    uint8_t digest[SKUA_TAG_LEN]; /* of the SYN whose early data were taken */
    uint8_t own[SKUA_OWN_ID_LEN]; /* own id of that SYN's half-open entry, once there is one */
    bool taken;                   /* whether they were */
};

struct skua_early *skua_early_new(struct skua_heap *heap, const struct skua_listen_config *config,
                                  uint32_t syn_backlog, const struct skua_rng *rng,
                                  const uint8_t hash_key[16])
{
    struct skua_early *early = skua_heap_get(heap, sizeof *early);
    if (early == NULL) {
        return NULL;
    }
    early->heap = heap;
    early->window_ns = config->early_window_ns != 0 ? config->early_window_ns : WINDOW_NS;
    uint32_t most =
        config->early_backlog != 0 ? config->early_backlog : SKUA_LIMIT_EARLY_BACKLOG_DEFAULT;
    early->backlog = most < syn_backlog / 2 ? most : syn_backlog / 2;
    skua_idmap_init(&early->strikes, heap, hash_key, SKUA_EARLY_NAME_LEN);
    skua_list_init(&early->by_age);
    skua_rng_fill(rng, early->key.bytes, sizeof early->key.bytes);
    return early;
}

static void drop(struct skua_early *early, struct strike *strike)
{
    (void)skua_idmap_remove(&early->strikes, strike->name, sizeof strike->name);
    skua_list_remove(&strike->link);
    skua_heap_put(early->heap, strike, sizeof *strike);
}

void skua_early_free(struct skua_early *early)
{
    if (early == NULL) {
        return;
    }
    struct skua_node *node;
    while ((node = skua_list_first(&early->by_age)) != NULL) {
        drop(early, SKUA_CONTAINER_OF(node, struct strike, link));
    }
    skua_idmap_deinit(&early->strikes);
    struct skua_heap *heap = early->heap;
    skua_wipe(early, sizeof *early);
    skua_heap_put(heap, early, sizeof *early);
}

void skua_early_expire(struct skua_early *early, skua_time now)
{
    struct skua_node *node;
    while ((node = skua_list_first(&early->by_age)) != NULL) {
        struct strike *strike = SKUA_CONTAINER_OF(node, struct strike, link);
        if (strike->until > now) {
            return;
        }
        drop(early, strike);
    }
}

/* A record of the token in `data`; NULL where there is no room for one. */
static struct strike *note(struct skua_early *early, const struct skua_early_data *data,
                           skua_time now)
{
    if (skua_idmap_count(&early->strikes) >= SKUA_LIMIT_EARLY_STRIKES) {
        return NULL;
    }
    struct strike *strike = skua_heap_get(early->heap, sizeof *strike);
    if (strike == NULL) {
        return NULL;
    }
    strike->until = skua_time_add(now, skua_time_add(early->window_ns, REPEATS_NS));
    memcpy(strike->name, skua_early_token_name(data->token), sizeof strike->name);
    if (skua_idmap_put(&early->strikes, strike->name, sizeof strike->name, strike) != SKUA_OK) {
        skua_heap_put(early->heap, strike, sizeof *strike);
        return NULL;
    }
    skua_list_push_back(&early->by_age, &strike->link);
    return strike;
}

static struct strike *find(const struct skua_early *early, const struct skua_early_data *data)
{
    return skua_idmap_get(&early->strikes, skua_early_token_name(data->token), SKUA_EARLY_NAME_LEN);
}

enum skua_early_fate skua_early_strike(struct skua_early *early, const struct skua_key *client,
                                       const struct skua_early_data *data,
                                       const uint8_t digest[SKUA_TAG_LEN], bool wanted,
                                       skua_time now)
{
    skua_time issued;
    if (!skua_early_token_open(data->token, data->token_len, &early->key, client, &issued)) {
        return SKUA_EARLY_REJECTED;
    }
    skua_early_expire(early, now);
    struct strike *strike = find(early, data);
    if (strike != NULL) {
        bool copy = strike->taken && skua_tag_equal(strike->digest, digest);
        return copy ? SKUA_EARLY_REPLAYED : SKUA_EARLY_REJECTED;
    }
    if (issued > now || issued < early->floor || now - issued > early->window_ns) {
        return SKUA_EARLY_REJECTED; /* and will be for ever */
    }
    strike = note(early, data, now);
    if (strike == NULL) {
        early->floor = skua_time_add(now, 1);
        return SKUA_EARLY_REJECTED;
    }
    strike->taken = wanted;
    memcpy(strike->digest, digest, sizeof strike->digest);
    return wanted ? SKUA_EARLY_TAKEN : SKUA_EARLY_REJECTED;
}

static struct strike *find_taken(const struct skua_early *early, const struct skua_early_data *data)
{
    struct strike *strike = find(early, data);
    SKUA_ASSERT(strike != NULL && strike->taken);
    return strike;
}

void skua_early_undo(struct skua_early *early, const struct skua_early_data *data)
{
    find_taken(early, data)->taken = false;
}

void skua_early_answered(struct skua_early *early, const struct skua_early_data *data,
                         const struct skua_id *own)
{
    SKUA_ASSERT(own->len == SKUA_OWN_ID_LEN);
    memcpy(find_taken(early, data)->own, own->bytes, SKUA_OWN_ID_LEN);
}

struct skua_id skua_early_answer(const struct skua_early *early, const struct skua_early_data *data)
{
    return skua_id_of(find_taken(early, data)->own, SKUA_OWN_ID_LEN);
}
