/* TLS 1.3 over kernel TCP, by OpenSSL: what most programs that want an encrypted byte stream use.
 * AES-256-GCM, full records, no kernel TLS; a certificate made on the spot, which nobody checks,
 * as the transfer is what is measured. */
#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

static void die_tls(const char *what)
{
    (void)fprintf(stderr, "tls: %s failed\n", what);
    exit(1);
}

static void make_certificate(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    if (key == NULL || certificate == NULL) {
        die_tls("making a key");
    }
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    (void)X509_set_pubkey(certificate, key);
    if (X509_sign(certificate, key, EVP_sha256()) == 0 ||
        SSL_CTX_use_certificate(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(context, key) != 1) {
        die_tls("making a certificate");
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static SSL *open_session(int fd, bool server)
{
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") != 1) {
        die_tls("TLS 1.3");
    }
    if (server) {
        make_certificate(context);
    }
    SSL *session = SSL_new(context);
    if (session == NULL || SSL_set_fd(session, fd) != 1 ||
        (server ? SSL_accept(session) : SSL_connect(session)) != 1) {
        die_tls("the handshake");
    }
    return session;
}

static void receive(const struct bench_args *args)
{
    const int on = 1;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener, (const struct sockaddr *)&args->addr, sizeof args->addr) != 0 ||
        listen(listener, 1) != 0) {
        bench_die("listen");
    }
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
        bench_die("accept");
    }
    SSL *session = open_session(fd, true);
    uint8_t *chunk = bench_chunk();
    struct bench_count got = {.bytes = 0};
    for (int n; (n = SSL_read(session, chunk, BENCH_CHUNK)) > 0;) {
        bench_add(&got, (uint64_t)n, bench_now());
    }
    bench_print(&got);
}

static void transmit(const struct bench_args *args)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&args->addr, sizeof args->addr) != 0) {
        bench_die("connect");
    }
    SSL *session = open_session(fd, false);
    const uint8_t *chunk = bench_chunk();
    struct bench_count sent = {.bytes = 0};
    const uint64_t end = bench_now() + (uint64_t)(args->seconds * 1e9);
    while (sent.last_ns < end && SSL_write(session, chunk, BENCH_CHUNK) > 0) {
        bench_add(&sent, BENCH_CHUNK, bench_now());
    }
    (void)SSL_shutdown(session);
    bench_print(&sent);
}

int main(int argc, char **argv)
{
    struct bench_args args;
    bench_parse(&args, argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    if (strcmp(args.role, "recv") == 0) {
        receive(&args);
    } else {
        transmit(&args);
    }
    return 0;
}
