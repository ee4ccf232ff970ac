/* Worker threads (pool.h): two queues under one lock, and an ev_async that says "something is
 * done". */
#include "pool.h"

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS_MAX = 8 };

/* First in, first out. */
struct queue {
    struct skua_job *first;
    struct skua_job **end;
};

struct skua_pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there is a job, or the end */
    pthread_cond_t idle; /* a job has been run */
    struct queue waiting;
    struct queue finished;
    size_t under_way; /* submitted, `done` not yet begun */
    bool ending;
    pthread_t threads[THREADS_MAX];
    size_t count; /* of threads */
    struct ev_loop *loop;
    ev_async wake;
};

static void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static void push(struct queue *queue, struct skua_job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

static struct skua_job *shift(struct queue *queue)
{
    struct skua_job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL) {
            queue->end = &queue->first;
        }
    }
    return job;
}

static void *work(void *user)
{
    struct skua_pool *pool = user;
    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct skua_job *job = shift(&pool->waiting);
        if (job == NULL) {
            if (pool->ending) {
                break;
            }
            (void)pthread_cond_wait(&pool->work, &pool->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&pool->lock);
        job->run(job);
        (void)pthread_mutex_lock(&pool->lock);
        push(&pool->finished, job);
        (void)pthread_cond_signal(&pool->idle);
        ev_async_send(pool->loop, &pool->wake);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Calls `done` of all that is finished. */
static void settle(struct skua_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    for (struct skua_job *job = shift(&pool->finished); job != NULL; job = shift(&pool->finished)) {
        pool->under_way--;
        (void)pthread_mutex_unlock(&pool->lock);
        job->done(job);
        (void)pthread_mutex_lock(&pool->lock);
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

static void on_wake(struct ev_loop *loop, ev_async *wake, int events)
{
    (void)loop;
    (void)events;
    settle(wake->data);
}

/* Threads inherit a mask that blocks everything: signals belong to the loop's thread. */
static void start_threads(struct skua_pool *pool, size_t threads)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->count < threads &&
           pthread_create(&pool->threads[pool->count], NULL, work, pool) == 0) {
        pool->count++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct skua_pool *skua_pool_new(struct ev_loop *loop, size_t threads)
{
    struct skua_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (threads == 0) {
        threads = processors < 2 ? 2 : (size_t)processors;
    }
    threads = threads > THREADS_MAX ? THREADS_MAX : threads;
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->work, NULL);
    (void)pthread_cond_init(&pool->idle, NULL);
    queue_init(&pool->waiting);
    queue_init(&pool->finished);
    pool->loop = loop;
    ev_async_init(&pool->wake, on_wake);
    pool->wake.data = pool;
    ev_async_start(loop, &pool->wake);
    start_threads(pool, threads);
    if (pool->count == 0) {
        skua_pool_free(pool);
        return NULL;
    }
    return pool;
}

void skua_pool_free(struct skua_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->count; i++) {
        (void)pthread_join(pool->threads[i], NULL);
    }
    ev_async_stop(pool->loop, &pool->wake);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_cond_destroy(&pool->idle);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void skua_pool_submit(struct skua_pool *pool, struct skua_job *job)
{
    (void)pthread_mutex_lock(&pool->lock);
    push(&pool->waiting, job);
    pool->under_way++;
    (void)pthread_cond_signal(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
}

void skua_pool_drain(struct skua_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->under_way > 0) {
        while (pool->finished.first == NULL) {
            (void)pthread_cond_wait(&pool->idle, &pool->lock);
        }
        (void)pthread_mutex_unlock(&pool->lock);
        settle(pool);
        (void)pthread_mutex_lock(&pool->lock);
    }
    (void)pthread_mutex_unlock(&pool->lock);
}
