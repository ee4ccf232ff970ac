/* Name lookup in helper threads: see resolve.h.
 *
 * `mutex` guards all of struct skua_resolver that is written after its creation, but for the
 * ev_async's state, which is the loop thread's. A lookup belongs to the list it is in, or to the
 * thread that works on it. Memory is malloc's: the endpoint's allocator need not be thread-safe. */
#include "io/resolve.h"

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "io/address.h"

enum { THREADS_MAX = 4, HOST_MAX = 255 };

struct skua_lookup {
    struct skua_node node;            /* in `queue` or `answered`; not linked while worked on */
    char host[HOST_MAX + 1];          /* zero-terminated */
    uint16_t port;                    /* for the addresses */
    skua_lookup_done *done;           /* loop thread only; NULL = cancelled */
    void *user;                       /* of `done` */
    struct skua_lookup_result result; /* once answered */
};

struct skua_resolver {
    const struct skua_sys *sys; /* for getaddrinfo */
    struct ev_loop *loop;       /* whose thread is told */
    ev_async wake;              /* answers wait */
    pthread_mutex_t mutex;
    struct skua_node queue;    /* lookups nobody works on yet */
    struct skua_node answered; /* lookups to be reported */
    unsigned threads;          /* running; each counts as an owner of this struct */
    bool closed;               /* the loop's side has gone */
};

static void destroy(struct skua_resolver *r)
{
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

static struct skua_lookup *pop(struct skua_node *list)
{
    if (skua_list_empty(list)) {
        return NULL;
    }
    struct skua_node *node = list->next;
    skua_list_remove(node);
    return SKUA_CONTAINER_OF(node, struct skua_lookup, node);
}

static void drop_all(struct skua_node *list)
{
    for (struct skua_lookup *l = pop(list); l != NULL; l = pop(list)) {
        free(l);
    }
}

/* In a helper thread, without the mutex. */
static void look_up(const struct skua_sys *sys, struct skua_lookup *lookup)
{
    /* Without AI_ADDRCONFIG, which would hide ::1 on machines without a global IPv6 address: a
     * family that does not work shows by failing at once. */
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct skua_lookup_result *result = &lookup->result;
    int error = sys->getaddrinfo(lookup->host, NULL, &hints, &list);
    if (error != 0) {
        result->error = gai_strerror(error);
        return;
    }
    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        struct sockaddr_storage address;
        if (result->count == SKUA_LOOKUP_ADDRS || ai->ai_addrlen > sizeof address) {
            break;
        }
        memset(&address, 0, sizeof address);
        memcpy(&address, ai->ai_addr, ai->ai_addrlen);
        struct skua_addr *addr = &result->addrs[result->count];
        skua_address_from_kernel(addr, &address);
        addr->port = lookup->port;
        result->count += addr->family != SKUA_FAMILY_NONE;
    }
    sys->freeaddrinfo(list);
    result->error = result->count == 0 ? "no IPv4 or IPv6 address" : "";
}

static void *work(void *argument)
{
    struct skua_resolver *r = argument;
    pthread_mutex_lock(&r->mutex);
    for (struct skua_lookup *l = pop(&r->queue); l != NULL; l = pop(&r->queue)) {
        pthread_mutex_unlock(&r->mutex);
        look_up(r->sys, l);
        pthread_mutex_lock(&r->mutex);
        if (r->closed) {
            free(l);
        } else {
            skua_list_push_back(&r->answered, &l->node);
            ev_async_send(r->loop, &r->wake);
        }
    }
    r->threads--;
    bool last = r->closed && r->threads == 0;
    pthread_mutex_unlock(&r->mutex);
    if (last) {
        destroy(r);
    }
    return NULL;
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int revents)
{
    struct skua_resolver *r = watcher->data;
    (void)loop;
    (void)revents;
    for (;;) {
        pthread_mutex_lock(&r->mutex);
        struct skua_lookup *lookup = pop(&r->answered);
        pthread_mutex_unlock(&r->mutex);
        if (lookup == NULL) {
            return;
        }
        if (lookup->done != NULL) {
            lookup->done(lookup->user, &lookup->result);
        }
        free(lookup);
    }
}

enum skua_err skua_resolver_new(struct skua_resolver **out, const struct skua_sys *sys,
                                struct ev_loop *loop)
{
    struct skua_resolver *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return SKUA_ENOMEM;
    }
    if (pthread_mutex_init(&r->mutex, NULL) != 0) {
        free(r);
        return SKUA_ENOMEM;
    }
    r->sys = sys;
    r->loop = loop;
    skua_list_init(&r->queue);
    skua_list_init(&r->answered);
    ev_async_init(&r->wake, on_wake);
    r->wake.data = r;
    ev_async_start(loop, &r->wake);
    ev_unref(loop);
    *out = r;
    return SKUA_OK;
}

void skua_resolver_free(struct skua_resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    ev_ref(resolver->loop);
    pthread_mutex_lock(&resolver->mutex);
    ev_async_stop(resolver->loop, &resolver->wake);
    resolver->closed = true;
    drop_all(&resolver->queue);
    drop_all(&resolver->answered);
    bool last = resolver->threads == 0;
    pthread_mutex_unlock(&resolver->mutex);
    if (last) {
        destroy(resolver);
    }
}

/* One more thread, detached, without signals. Called with the mutex held. */
static bool add_thread(struct skua_resolver *r)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t old;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    bool made = pthread_create(&thread, &attributes, work, r) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attributes);
    r->threads += made;
    return made;
}

enum skua_err skua_resolver_start(struct skua_resolver *resolver, const char *host, uint16_t port,
                                  skua_lookup_done *done, void *user, struct skua_lookup **out)
{
    size_t len = strlen(host);
    if (len == 0 || len > HOST_MAX) {
        return SKUA_EINVAL;
    }
    struct skua_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) {
        return SKUA_ENOMEM;
    }
    memcpy(lookup->host, host, len + 1);
    lookup->port = port;
    lookup->done = done;
    lookup->user = user;
    lookup->result.error = "";
    pthread_mutex_lock(&resolver->mutex);
    skua_list_push_back(&resolver->queue, &lookup->node);
    bool served = resolver->threads == THREADS_MAX || add_thread(resolver) || resolver->threads > 0;
    if (!served) {
        skua_list_remove(&lookup->node);
        free(lookup);
    }
    pthread_mutex_unlock(&resolver->mutex);
    if (!served) {
        return SKUA_ENOMEM;
    }
    *out = lookup;
    return SKUA_OK;
}

void skua_lookup_cancel(struct skua_lookup *lookup)
{
    lookup->done = NULL;
}
