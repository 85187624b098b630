/* A llama-server that costs next to nothing: what stands behind every contender of these benchmarks.
 *
 * Started like llama-server (`--host /path/x.sock`, every other argument is taken and ignored), it answers
 *   GET  /health          200 {"status":"ok"}
 *   GET  anything else    200 {} (/metrics: two counters as text, /slots: [])
 *   POST anything         200 with a JSON answer of exactly 600 bytes, after the whole request body was read
 *   POST "stream":true    chunked server-sent events, "bench_chunks" of them at "bench_rate" a second (both in
 *                         the request body). Event n carries "n":n and "t":<CLOCK_MONOTONIC, ns, before write>.
 * The first event leaves at once, the others evenly spaced, the streams spread over the period, so that they do not
 * come in bursts. Only requests that fit into 16 KiB can ask for a stream. One thread, epoll. SIGTERM: exit 0 at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "upstream_help.h"

#define SMALL 16384                /* bytes of request kept; what does not fit is read and dropped */
#define MOST 8192                  /* streams at once */
#define LIFE 1800                  /* seconds until it ends by itself, whatever became of who started it */
#define HEAD "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nAccess-Control-Allow-Origin: \r\nContent-Type: %s\r\n"

struct conn {
    int fd, streaming, place;      /* place in the heap */
    size_t have, drop;             /* bytes in `in`; bytes of a large body still to come */
    char *out;                     /* what the socket did not take */
    size_t out_at, out_len, out_cap;
    long sent, chunks;
    uint64_t due, period;          /* ns */
    char in[SMALL + 1];
};

static struct conn *heap[MOST];    /* running streams, earliest `due` first */
static int streams, epoll;
static char answer[1024], scratch[1 << 20];
static size_t answer_len;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void put(int at, struct conn *c) { heap[at] = c; c->place = at; }

static void sift(int at) {
    struct conn *c = heap[at];
    for (; at && heap[(at - 1) / 2]->due > c->due; at = (at - 1) / 2) put(at, heap[(at - 1) / 2]);
    for (int kid; (kid = 2 * at + 1) < streams; at = kid) {
        if (kid + 1 < streams && heap[kid + 1]->due < heap[kid]->due) kid++;
        if (heap[kid]->due >= c->due) break;
        put(at, heap[kid]);
    }
    put(at, c);
}

static void unschedule(struct conn *c) {
    int at = c->place;
    if (!c->streaming) return;
    c->streaming = 0;
    if (at < --streams) { put(at, heap[streams]); sift(at); }
}

static void watch(struct conn *c, int how, uint32_t what) {
    struct epoll_event e = {.events = what, .data.ptr = c};
    epoll_ctl(epoll, how, c->fd, &e);
}

static void drop(struct conn *c) {
    unschedule(c);
    close(c->fd);
    free(c->out);
    free(c);
}

/* Both return -1 when the connection is lost. */
static int flush(struct conn *c) {
    while (c->out_at < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_at, c->out_len - c->out_at);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        c->out_at += (size_t)n;
    }
    if (c->out_len) watch(c, EPOLL_CTL_MOD, EPOLLIN);
    c->out_at = c->out_len = 0;
    return 0;
}

static int say(struct conn *c, const char *data, size_t size) {
    if (!c->out_len) {
        ssize_t n = write(c->fd, data, size);
        if (n < 0 && errno != EAGAIN) return -1;
        if (n > 0) { data += n; size -= (size_t)n; }
        if (!size) return 0;
        watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    if (c->out_len + size > c->out_cap) {
        c->out_cap = 2 * (c->out_len + size);
        if (c->out_cap > 64u << 20 || !(c->out = realloc(c->out, c->out_cap))) return -1;
    }
    memcpy(c->out + c->out_len, data, size);
    c->out_len += size;
    return 0;
}

static int say_event(struct conn *c) {
    char event[512], chunk[600];
    int n = snprintf(event, sizeof event,
        "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\" word\"}}],\"created\":1,"
        "\"id\":\"chatcmpl-bench\",\"model\":\"bench\",\"object\":\"chat.completion.chunk\",\"n\":%ld,\"t\":%llu}\n\n",
        c->sent++, (unsigned long long)now());
    n = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", n, event);
    return say(c, chunk, (size_t)n);
}

static int say_end(struct conn *c) {
    char last[512], text[600];
    int n = snprintf(last, sizeof last,
        "data: {\"choices\":[{\"finish_reason\":\"length\",\"index\":0,\"delta\":{}}],\"object\":\"chat.completion.chunk\","
        "\"usage\":{\"completion_tokens\":%ld,\"prompt_tokens\":20,\"total_tokens\":%ld},\"timings\":{\"cache_n\":0,"
        "\"prompt_n\":20,\"prompt_ms\":1.0,\"predicted_n\":%ld,\"predicted_ms\":1.0}}\n\n", c->sent, c->sent + 20, c->sent);
    n = snprintf(text, sizeof text, "%x\r\n%s\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", n, last);
    unschedule(c);
    return say(c, text, (size_t)n);
}

static long field(const char *body, const char *name, long otherwise) {
    const char *at = strstr(body, name);
    return at ? atol(at + strlen(name) + (at[strlen(name)] == ' ')) : otherwise;
}

static int stream(struct conn *c, const char *body) {
    static uint64_t turn;
    char head[300];
    int n = snprintf(head, sizeof head, HEAD "Transfer-Encoding: chunked\r\nKeep-Alive: timeout=5, max=100\r\n\r\n",
                     "text/event-stream");
    long rate = field(body, "\"bench_rate\":", 50);
    if (streams == MOST) return -1;
    c->period = 1000000000u / (uint64_t)(rate > 0 ? rate : 50);
    c->chunks = field(body, "\"bench_chunks\":", 100);
    c->sent = 0;
    if (say(c, head, (size_t)n) || say_event(c)) return -1;
    c->due = now() + c->period + c->period * (turn++ * 619 % 1000) / 1000;
    c->streaming = 1;
    put(streams++, c);
    sift(streams - 1);
    return 0;
}

static int small(struct conn *c, const char *type, const char *body) {
    char text[600];
    int n = snprintf(text, sizeof text, HEAD "Content-Length: %zu\r\nKeep-Alive: timeout=5, max=100\r\n\r\n%s", type,
                     strlen(body), body);
    return say(c, text, (size_t)n);
}

static int get(struct conn *c, const char *path) {
    const char *json = "application/json; charset=utf-8";
    if (!strncmp(path, "/health", 7)) return small(c, json, "{\"status\":\"ok\"}");
    if (!strncmp(path, "/metrics", 8))
        return small(c, "text/plain; version=0.0.4", "llamacpp:prompt_tokens_total 0\nllamacpp:tokens_predicted_total 0\n");
    return small(c, json, strncmp(path, "/slots", 6) ? "{}" : "[]");
}

static int serve(struct conn *c) {
    char *end;
    while (!c->streaming && !c->drop && c->have && (c->in[c->have] = 0, end = strstr(c->in, "\r\n\r\n"))) {
        end[2] = 0;
        char *field_at = strcasestr(c->in, "\r\nContent-Length:");
        size_t length = field_at ? strtoul(field_at + 17, NULL, 10) : 0, total = (size_t)(end + 4 - c->in) + length;
        int chunked = !!strcasestr(c->in, "\r\nTransfer-Encoding:"), lost;
        end[2] = '\r';
        if (chunked) return -1;    /* nobody here sends one */
        if (total > SMALL) {
            c->drop = total - c->have;
            c->have = 0;
            return 0;
        }
        if (c->have < total) return 0;
        char after = c->in[total];
        c->in[total] = 0;
        if (!strncmp(c->in, "GET ", 4)) lost = get(c, c->in + 4);
        else if (strstr(end, "\"stream\":true") || strstr(end, "\"stream\": true")) lost = stream(c, end);
        else lost = say(c, answer, answer_len);
        if (lost) return -1;
        c->in[total] = after;
        memmove(c->in, c->in + total, c->have -= total);
    }
    return c->have == SMALL ? -1 : 0;
}

static int readable(struct conn *c) {
    ssize_t n;
    if (c->drop) {
        n = read(c->fd, scratch, c->drop < sizeof scratch ? c->drop : sizeof scratch);
        if (n > 0 && !(c->drop -= (size_t)n)) return say(c, answer, answer_len);
    } else {
        n = read(c->fd, c->in + c->have, SMALL - c->have);
        if (n > 0) { c->have += (size_t)n; return serve(c); }
    }
    return n > 0 || (n < 0 && errno == EAGAIN) ? 0 : -1;
}

static void quit(int signal) { (void)signal; _exit(0); }

static int listen_at(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!path || strlen(path) >= sizeof to.sun_path) return -1;
    strcpy(to.sun_path, path);
    return bind(fd, (struct sockaddr *)&to, sizeof to) || listen(fd, 4096) ? -1 : fd;
}

int main(int argc, char **argv) {
    const char *path = NULL;
    char body[601];
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--version")) { fputs("version: 1 (bench)\nbuilt with gcc for Linux x86_64\n", stderr); return 0; }
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) { fputs(help, stdout); return 0; }
        if (!strcmp(argv[i], "--host") && i + 1 < argc) path = argv[++i];
    }
    int n = snprintf(body, sizeof body,
        "{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%0200d\"}}],"
        "\"created\":1,\"id\":\"chatcmpl-bench\",\"model\":\"bench\",\"object\":\"chat.completion\",\"usage\":{\"completion_tokens\""
        ":2,\"prompt_tokens\":54,\"total_tokens\":56},\"timings\":{\"cache_n\":53,\"prompt_n\":1,\"prompt_ms\":1.3,"
        "\"prompt_per_second\":752.4,\"predicted_n\":2,\"predicted_ms\":0.9,\"predicted_per_second\":1085.7}}", 0);
    memset(body + n, ' ', (size_t)(600 - n));
    body[600] = 0;
    answer_len = (size_t)snprintf(answer, sizeof answer, HEAD "Content-Length: 600\r\nKeep-Alive: timeout=5, max=100\r\n\r\n%s",
                                  "application/json; charset=utf-8", body);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, quit);
    signal(SIGINT, quit);
    prctl(PR_SET_TIMERSLACK, 1000);
    alarm(LIFE);
    int door = listen_at(path);
    if (door < 0) { fprintf(stderr, "couldn't bind to %s\n", path ? path : "(no --host /path/x.sock)"); return 1; }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, door, &(struct epoll_event){.events = EPOLLIN});
    fprintf(stderr, "0.00.000.100 I srv  llama_server: model loaded\n"
                    "0.00.000.101 I srv  llama_server: listening on unix://%s\n", path);
    for (struct epoll_event events[256];;) {
        uint64_t time = streams ? now() : 0;
        while (streams && heap[0]->due <= time) {
            struct conn *c = heap[0];
            int lost = c->sent < c->chunks ? say_event(c) : say_end(c);
            if (lost || (!c->streaming && serve(c))) drop(c);
            else if (c->streaming) { c->due += c->period; sift(0); }
        }
        if (streams) {             /* epoll_wait counts in ms: too coarse for the next event */
            uint64_t wait = heap[0]->due > (time = now()) ? heap[0]->due - time : 0;
            struct timespec until = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
            if (ppoll(&(struct pollfd){.fd = epoll, .events = POLLIN}, 1, &until, NULL) <= 0) continue;
        }
        int many = epoll_wait(epoll, events, 256, streams ? 0 : -1);
        for (int i = 0; i < many; i++) {
            struct conn *c = events[i].data.ptr;
            if (!c) {
                for (int fd; (fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
                    if (!(c = calloc(1, sizeof *c))) { close(fd); continue; }
                    c->fd = fd;
                    watch(c, EPOLL_CTL_ADD, EPOLLIN);
                }
            } else if (((events[i].events & EPOLLOUT) && flush(c)) || ((events[i].events & ~EPOLLOUT) && readable(c))) drop(c);
        }
    }
}
