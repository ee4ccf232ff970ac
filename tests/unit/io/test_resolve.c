/* Name lookup beside the loop: answers, failures, cancelling, and a resolver that is freed while a
 * name server keeps its threads waiting. */
#include "unit.h"

#include <ev.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>

#include "io/resolve.h"

/* getaddrinfo of the tests: "bad" fails, "none" has an address of no family we know, "slow..."
 * waits for the gate, all others have ::1 and 127.0.0.1. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static unsigned inside; /* threads that wait at the gate */
static unsigned most_inside;
static unsigned freed; /* lists given back */

static struct addrinfo *entry(const void *address, socklen_t len, struct addrinfo *next)
{
    struct addrinfo *ai = calloc(1, sizeof *ai + len);
    memcpy(ai + 1, address, len);
    ai->ai_addr = (struct sockaddr *)(ai + 1);
    ai->ai_addrlen = len;
    ai->ai_next = next;
    return ai;
}

static int fake_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                            struct addrinfo **out)
{
    (void)service;
    (void)hints;
    if (strncmp(host, "slow", 4) == 0) {
        pthread_mutex_lock(&mutex);
        inside++;
        most_inside = inside > most_inside ? inside : most_inside;
        pthread_cond_broadcast(&changed);
        while (!gate_open) {
            pthread_cond_wait(&changed, &mutex);
        }
        inside--;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    if (strcmp(host, "bad") == 0) {
        return EAI_NONAME;
    }
    if (strcmp(host, "none") == 0) {
        struct sockaddr none = {.sa_family = AF_UNIX};
        *out = entry(&none, sizeof none, NULL);
        return 0;
    }
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    *out = entry(&v6, sizeof v6, entry(&v4, sizeof v4, NULL));
    return 0;
}

static void fake_freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
    pthread_mutex_lock(&mutex);
    freed++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static const struct skua_sys test_sys = {.getaddrinfo = fake_getaddrinfo,
                                         .freeaddrinfo = fake_freeaddrinfo};

static struct ev_loop *loop;
static struct skua_resolver *resolver;
static unsigned answers;
static struct skua_lookup_result last;

static void set_gate(bool is_open)
{
    pthread_mutex_lock(&mutex);
    gate_open = is_open;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* Waits until `count` threads are at the gate. */
static void wait_inside(unsigned count)
{
    pthread_mutex_lock(&mutex);
    while (inside != count) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void wait_freed(unsigned count)
{
    pthread_mutex_lock(&mutex);
    while (freed < count) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void on_done(void *user, const struct skua_lookup_result *result)
{
    unsigned *wanted = user;
    last = *result;
    if (++answers == *wanted) {
        ev_break(loop, EVBREAK_ALL);
    }
}

static int setup(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_AUTO);
    answers = 0;
    most_inside = 0;
    freed = 0;
    set_gate(false);
    return loop == NULL || skua_resolver_new(&resolver, &test_sys, loop) != SKUA_OK ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    skua_resolver_free(resolver);
    ev_loop_destroy(loop);
    return 0;
}

static void look_up(const char *host, unsigned *wanted, struct skua_lookup **lookup)
{
    assert_int_equal(skua_resolver_start(resolver, host, 77, on_done, wanted, lookup), SKUA_OK);
}

/* Runs the loop until all wanted answers are there. */
static void run(void)
{
    ev_ref(loop);
    ev_run(loop, 0);
    ev_unref(loop);
}

static void both_families_with_the_port(void **state)
{
    (void)state;
    unsigned wanted = 1;
    struct skua_lookup *lookup;
    look_up("host", &wanted, &lookup);
    run();
    assert_int_equal(last.count, 2);
    assert_int_equal(last.addrs[0].family, SKUA_FAMILY_IPV6);
    assert_int_equal(last.addrs[1].family, SKUA_FAMILY_IPV4);
    assert_int_equal(last.addrs[0].port, 77);
    assert_int_equal(last.addrs[1].port, 77);
    assert_string_equal(last.error, "");
}

static void failures_have_a_text(void **state)
{
    (void)state;
    unsigned wanted = 1;
    struct skua_lookup *lookup;
    look_up("bad", &wanted, &lookup);
    run();
    assert_int_equal(last.count, 0);
    assert_string_equal(last.error, gai_strerror(EAI_NONAME));
    wanted = 2;
    look_up("none", &wanted, &lookup);
    run();
    assert_int_equal(last.count, 0);
    assert_string_not_equal(last.error, "");
}

static void names_out_of_range(void **state)
{
    (void)state;
    char host[300];
    struct skua_lookup *lookup;
    memset(host, 'a', sizeof host);
    host[256] = '\0';
    assert_int_equal(skua_resolver_start(resolver, host, 1, on_done, NULL, &lookup), SKUA_EINVAL);
    assert_int_equal(skua_resolver_start(resolver, "", 1, on_done, NULL, &lookup), SKUA_EINVAL);
}

static void slow_ones_do_not_stop_the_loop_and_threads_are_few(void **state)
{
    (void)state;
    unsigned wanted = 20;
    struct skua_lookup *lookup;
    for (unsigned i = 0; i < wanted; i++) {
        look_up("slow", &wanted, &lookup);
    }
    wait_inside(4);
    ev_run(loop, EVRUN_NOWAIT); /* returns */
    assert_int_equal(answers, 0);
    set_gate(true);
    run();
    assert_int_equal(answers, 20);
    assert_int_equal(most_inside, 4);
}

static void a_cancelled_one_is_not_answered(void **state)
{
    (void)state;
    unsigned wanted = 1;
    struct skua_lookup *cancelled;
    struct skua_lookup *lookup;
    look_up("slow", &wanted, &cancelled);
    wait_inside(1);
    skua_lookup_cancel(cancelled);
    set_gate(true);
    wait_freed(1);
    look_up("host", &wanted, &lookup);
    run();
    assert_int_equal(answers, 1);
}

static void freed_while_threads_wait(void **state)
{
    (void)state;
    unsigned wanted = 1;
    struct skua_lookup *lookup;
    for (unsigned i = 0; i < 6; i++) {
        look_up("slow", &wanted, &lookup);
    }
    wait_inside(4);
    skua_resolver_free(resolver);
    resolver = NULL;
    set_gate(true);
    wait_freed(4); /* the two that waited in the queue were dropped */
    wait_inside(0);
    ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(answers, 0);
}

static void does_not_keep_the_loop_alive(void **state)
{
    (void)state;
    ev_run(loop, 0); /* returns at once: nothing is looked up */
    assert_int_equal(answers, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(both_families_with_the_port),
        T(failures_have_a_text),
        T(names_out_of_range),
        T(slow_ones_do_not_stop_the_loop_and_threads_are_few),
        T(a_cancelled_one_is_not_answered),
        T(freed_while_threads_wait),
        T(does_not_keep_the_loop_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
