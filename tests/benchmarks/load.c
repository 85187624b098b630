/* Asks one address over and over, or holds streams open, and says what it saw as one line of JSON (times in ns).
 *
 *   load ADDRESS PATH BODY_FILE CONNECTIONS SECONDS EXPECT [streams]
 *
 * ADDRESS is /path/x.sock or 127.0.0.1:8134, $LOAD_KEY the key to show there, if it is set. Each of CONNECTIONS keep-alive connections POSTs the bytes of BODY_FILE
 * to PATH. Without `streams`: again and again for SECONDS, each answer must be a 200 with EXPECT bytes of body; the
 * time from the first byte sent to the last byte received is kept. With `streams`: once, and what comes back must be
 * server-sent events numbered "n":0,1,…, each with "t":<ns, CLOCK_MONOTONIC, at the sender>, EXPECT of them, then
 * [DONE]; now − t of each is kept; SECONDS bounds the wait. One thread, epoll; answers of known length and chunked.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum state { HEAD, LENGTH, SIZE, DATA, DATA_END, TRAILER, OVER };

struct conn {
    int fd, status, chunked, closing, first, done, blank;
    enum state state;
    size_t sent, left, body, line_len, event_len;
    uint64_t began;
    long next;                     /* number of the event that must come next */
    char line[8192], event[8192];
};

struct samples { uint64_t *of; size_t n, cap; };

static struct samples times, firsts;
static const char *address, *path;
static char *request, buffer[1 << 18];
static size_t request_len;
static long want;
static int streams, epoll, living;
static long answers, bad, reconnects, events, lost, malformed, reads, merged, split, ended;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) { fprintf(stderr, "load: %s: %s\n", what, strerror(errno)); exit(1); }

static void keep(struct samples *s, uint64_t value) {
    if (s->n == s->cap && !(s->of = realloc(s->of, (s->cap = s->cap * 2 + 4096) * sizeof *s->of))) die("memory");
    s->of[s->n++] = value;
}

static int order(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t rank(struct samples *s, double share) { return s->n ? s->of[(size_t)(share * (double)(s->n - 1))] : 0; }

static int open_to(const char *to) {
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in remote = {.sin_family = AF_INET};
    char host[64];
    int port, fd, yes = 1;
    if (*to == '/') {
        if (strlen(to) >= sizeof local.sun_path) die("path too long");
        strcpy(local.sun_path, to);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&local, sizeof local)) die(to);
    } else {
        if (sscanf(to, "%63[^:]:%d", host, &port) != 2 || !inet_aton(host, &remote.sin_addr)) die("bad address");
        remote.sin_port = htons((uint16_t)port);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&remote, sizeof remote)) die(to);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void watch(struct conn *c, int how, uint32_t what) {
    epoll_ctl(epoll, how, c->fd, &(struct epoll_event){.events = what, .data.ptr = c});
}

static int push(struct conn *c) {
    while (c->sent < request_len) {
        ssize_t n = write(c->fd, request + c->sent, request_len - c->sent);
        if (n < 0 && errno == EAGAIN) { watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT); return 0; }
        if (n < 0) return -1;
        c->sent += (size_t)n;
    }
    return 0;
}

static int ask(struct conn *c) {
    c->began = now();
    c->sent = c->body = c->line_len = c->left = 0;
    c->status = c->chunked = 0;
    c->state = HEAD;
    return push(c);
}

static void leave(struct conn *c) {
    close(c->fd);
    c->fd = -1;
    living--;
}

static void again(struct conn *c) {  /* the connection is gone: take a new one and ask once more */
    if (++reconnects > 100000 || bad > 1000) { fprintf(stderr, "load: %s keeps failing\n", address); exit(1); }
    close(c->fd);
    c->fd = open_to(address);
    c->closing = 0;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
    if (ask(c)) bad++;
}

static void line_of_event(struct conn *c, uint64_t time) {
    char *t, *n;
    c->event[c->event_len] = 0;
    if (!c->event_len) { c->blank = 1; return; }
    if (!c->blank || strncmp(c->event, "data: ", 6)) malformed++;
    c->blank = 0;
    if (!strcmp(c->event, "data: [DONE]")) { c->done = 1; return; }
    if (!(n = strstr(c->event, "\"n\":")) || !(t = strstr(c->event, "\"t\":"))) return;
    if (atol(n + 4) != c->next) lost++;
    c->next = atol(n + 4) + 1;
    keep(&times, time - strtoull(t + 4, NULL, 10));
    if (!c->first++) keep(&firsts, time - c->began);
    events++;
}

static void body(struct conn *c, const char *data, size_t size, uint64_t time) {
    c->body += size;
    while (streams && size) {
        const char *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        if (c->event_len + n >= sizeof c->event) { malformed++; c->event_len = 0; return; }
        memcpy(c->event + c->event_len, data, n);
        c->event_len += n;
        if (end) { line_of_event(c, time); c->event_len = 0; n++; }
        data += n;
        size -= n;
    }
}

static int line_of_head(struct conn *c) {  /* a whole line of head, chunk size or trailer stands in c->line */
    char *l = c->line;
    if (c->line_len && l[c->line_len - 1] == '\r') c->line_len--;
    l[c->line_len] = 0;
    if (c->state == SIZE) {
        c->left = strtoul(l, NULL, 16);
        c->state = c->left ? DATA : TRAILER;
    } else if (c->state == DATA_END) c->state = SIZE;
    else if (c->state == TRAILER) { if (!c->line_len) c->state = OVER; }
    else if (!c->status) { if (sscanf(l, "HTTP/1.%*d %d", &c->status) != 1) return -1; }
    else if (c->line_len) {
        if (!strncasecmp(l, "Content-Length:", 15)) c->left = strtoul(l + 15, NULL, 10);
        if (!strncasecmp(l, "Transfer-Encoding:", 18)) c->chunked = 1;
        if (!strncasecmp(l, "Connection:", 11) && strcasestr(l, "close")) c->closing = 1;
    } else c->state = c->chunked ? SIZE : c->left ? LENGTH : OVER;
    c->line_len = 0;
    return 0;
}

static int take(struct conn *c, const char *data, size_t size, uint64_t time) {
    while (size && c->state != OVER) {
        size_t n = size < c->left ? size : c->left;
        if (c->state == LENGTH || c->state == DATA) {
            body(c, data, n, time);
            if (!(c->left -= n)) c->state = c->state == DATA ? DATA_END : OVER;
        } else {
            const char *end = memchr(data, '\n', size);
            n = end ? (size_t)(end - data) : size;
            if (c->line_len + n >= sizeof c->line) return -1;
            memcpy(c->line + c->line_len, data, n);
            c->line_len += n;
            if (end) { n++; if (line_of_head(c)) return -1; }
        }
        data += n;
        size -= n;
    }
    return size ? -1 : 0;          /* nothing was asked for beyond the end */
}

static void finish(struct conn *c, uint64_t time) {
    if (streams) {
        if (c->done && c->next == want && c->status == 200) ended++;
        else if (c->status != 200) bad++;
        leave(c);
        return;
    }
    if (c->status == 200 && (long)c->body == want) { answers++; keep(&times, time - c->began); }
    else bad++;
    if (c->closing) again(c);
    else if (ask(c)) { bad++; again(c); }
}

static void readable(struct conn *c) {
    ssize_t n = read(c->fd, buffer, sizeof buffer);
    uint64_t time = now();
    long before = events;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 || take(c, buffer, (size_t)n, time)) {
        if (n || c->state != HEAD || c->line_len || streams) bad++;  /* else: closed between answers, as it may */
        if (streams) leave(c);
        else again(c);
        return;
    }
    if (streams && events > before) { reads++; merged += events - before > 1; }
    if (streams && c->event_len) split++;
    if (c->state == OVER) finish(c, time);
}

int main(int argc, char **argv) {
    struct stat about;
    FILE *file;
    if (argc < 7) { fputs("usage: load ADDRESS PATH BODY_FILE CONNECTIONS SECONDS EXPECT [streams]\n", stderr); return 2; }
    address = argv[1];
    path = argv[2];
    int many = atoi(argv[4]);
    double seconds = atof(argv[5]);
    want = atol(argv[6]);
    streams = argc > 7;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm((unsigned)seconds + 60);
    if (!(file = fopen(argv[3], "rb")) || fstat(fileno(file), &about)) die(argv[3]);
    request = malloc((size_t)about.st_size + 4096);
    request_len = (size_t)sprintf(request,
        "POST %.1000s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load/1\r\nAccept: */*\r\nContent-Type: application/json\r\n"
        "Authorization: Bearer %.200s\r\nContent-Length: %lld\r\n\r\n", path,
        getenv("LOAD_KEY") ? getenv("LOAD_KEY") : "none", (long long)about.st_size);
    request_len += fread(request + request_len, 1, (size_t)about.st_size, file);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct conn *all = calloc((size_t)many, sizeof *all);
    uint64_t start = now(), stop = start + (uint64_t)(seconds * 1e9);
    for (int i = 0; i < many; i++) {
        all[i].fd = open_to(address);
        all[i].blank = 1;
        living++;
        watch(&all[i], EPOLL_CTL_ADD, EPOLLIN);
        if (ask(&all[i])) { bad++; leave(&all[i]); }
    }
    for (struct epoll_event ready[256]; living && now() < stop;) {
        int n = epoll_wait(epoll, ready, 256, (int)((stop - now()) / 1000000) + 1);
        for (int i = 0; i < n; i++) {
            struct conn *c = ready[i].data.ptr;
            if ((ready[i].events & EPOLLOUT) && (push(c) || c->sent == request_len)) watch(c, EPOLL_CTL_MOD, EPOLLIN);
            if (ready[i].events & ~EPOLLOUT) readable(c);
        }
    }
    double took = (double)(now() - start) / 1e9;
    qsort(times.of, times.n, sizeof *times.of, order);
    qsort(firsts.of, firsts.n, sizeof *firsts.of, order);
    printf("{\"seconds\":%f,\"answers\":%ld,\"bad\":%ld,\"reconnects\":%ld,\"p50\":%llu,\"p99\":%llu,\"first\":%llu,"
           "\"events\":%ld,\"lost\":%ld,\"malformed\":%ld,\"reads\":%ld,\"merged\":%ld,\"split\":%ld,\"ended\":%ld}\n",
           took, answers, bad, reconnects, (unsigned long long)rank(&times, .5), (unsigned long long)rank(&times, .99),
           (unsigned long long)rank(&firsts, .5), events, lost, malformed, reads, merged, split, ended);
    return 0;
}
