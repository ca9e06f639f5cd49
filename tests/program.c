// A program for containers of tests: static, so that an image of it needs nothing else.
//
// program serve [PORT]     answers HTTP on PORT, else $PORT, else 8080; ends with 143 on SIGTERM
// program exit CODE | print TEXT | show VARIABLE | forever | deaf | silent
// program hog MIB          takes memory, says so, and waits
// program cat | warn TEXT  copies its input to its output; says TEXT on stderr
// program size             tells ROWS COLUMNS once the terminal on stdin has any
// program fork N           starts N processes that wait; ends with 11 where the kernel refuses one
// program message TEXT     writes the termination message and ends with 1
// program put PATH TEXT    writes a file and ends with 0
//
// Paths of serve: / tells of the process as JSON; /exit?N, /hog?MIB, /fork?N, /read?PATH,
// /write?PATH, /mkdir?PATH, /connect?HOST:PORT (HOST is an address) do so; all others answer "ok".
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <netinet/tcp.h>

extern char **environ;
static char **words;

static void end(int number) { _exit(128 + number); }
static void wait_for_ever(void) { for (;;) pause(); }

static int take_memory(long mib) {
    volatile char *taken = malloc((size_t)mib << 20);
    if (!taken) return 1;
    for (size_t at = 0; at < (size_t)mib << 20; at += 4096) taken[at] = 1;
    return 0;
}

static int start_processes(long count) {
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) { signal(SIGTERM, SIG_DFL); wait_for_ever(); }
        if (pid < 0) return 11;
    }
    return 0;
}

static size_t quoted(char *out, size_t room, const char *text) {
    size_t at = 0;
    if (room < 8) return 0;
    out[at++] = '"';
    for (; *text && at + 8 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') { out[at++] = '\\'; out[at++] = c; }
        else if (c < 32 || c > 126) at += (size_t)sprintf(out + at, "\\u%04x", c);
        else out[at++] = c;
    }
    out[at++] = '"';
    return at;
}

static size_t listed(char *out, size_t room, const char *name, char **texts) {
    size_t at = (size_t)snprintf(out, room, ",\"%s\":[", name);
    for (int i = 0; texts[i] && at + 16 < room; i++) {
        if (i) out[at++] = ',';
        at += quoted(out + at, room - at, texts[i]);
    }
    out[at++] = ']';
    return at;
}

static size_t describe(char *out, size_t room) {
    char host[256] = "", cwd[4096] = "";
    gid_t groups[64];
    int count = getgroups(64, groups);
    gethostname(host, sizeof host - 1);
    if (!getcwd(cwd, sizeof cwd)) strcpy(cwd, "?");
    size_t at = (size_t)snprintf(out, room,
        "{\"pid\":%d,\"uid\":%d,\"gid\":%d,\"no_new_privs\":%d,\"groups\":[", (int)getpid(),
        (int)getuid(), (int)getgid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(out + at, room - at, i ? ",%u" : "%u", (unsigned)groups[i]);
    at += (size_t)snprintf(out + at, room - at, "],\"hostname\":");
    at += quoted(out + at, room - at, host);
    at += (size_t)snprintf(out + at, room - at, ",\"cwd\":");
    at += quoted(out + at, room - at, cwd);
    at += listed(out + at, room - at - 4, "args", words);
    at += listed(out + at, room - at - 4, "env", environ);
    at += (size_t)snprintf(out + at, room - at, "}");
    return at;
}

static size_t read_file(const char *path, char *out, size_t room) {
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, out, room);
    if (fd >= 0) close(fd);
    return got < 0 ? (size_t)snprintf(out, room, "error: %s", strerror(errno)) : (size_t)got;
}

static size_t write_file(const char *path, char *out, size_t room) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ssize_t put = fd < 0 ? -1 : write(fd, "written", 7);
    if (fd >= 0) close(fd);
    return (size_t)snprintf(out, room, "%s%s", put < 0 ? "error: " : "ok", put < 0 ? strerror(errno) : "");
}

static size_t dial(char *where, char *out, size_t room) {
    char *colon = strrchr(where, ':');
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (!colon) return (size_t)snprintf(out, room, "error: no port");
    *colon = 0;
    to.sin_port = htons((unsigned short)atoi(colon + 1));
    inet_pton(AF_INET, where, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 3};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int failed = connect(fd, (struct sockaddr *)&to, sizeof to);
    size_t size = (size_t)snprintf(out, room, "%s%s", failed ? "error: " : "ok", failed ? strerror(errno) : "");
    close(fd);
    return size;
}

static size_t answer(char *path, char *out, size_t room) {
    char *query = strchr(path, '?');
    if (query) *query++ = 0; else query = "";
    if (!strcmp(path, "/")) return describe(out, room);
    if (!strcmp(path, "/exit")) exit(atoi(query));
    if (!strcmp(path, "/hog")) return (size_t)snprintf(out, room, "%d", take_memory(atol(query)));
    if (!strcmp(path, "/fork")) return (size_t)snprintf(out, room, "%d", start_processes(atol(query)));
    if (!strcmp(path, "/read")) return read_file(query, out, room);
    if (!strcmp(path, "/write")) return write_file(query, out, room);
    if (!strcmp(path, "/mkdir")) return (size_t)snprintf(out, room, "%d", mkdir(query, 0755));
    if (!strcmp(path, "/connect")) return dial(query, out, room);
    return (size_t)snprintf(out, room, "ok");
}

static void send_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return;
        data += sent;
        size -= (size_t)sent;
    }
}

static void *converse(void *given) {  // bodies of requests are not looked for
    int fd = (int)(long)given;
    size_t room = 1 << 17, held = 0;
    char *in = malloc(1 << 16), *out = malloc(room + 256);
    for (;;) {
        ssize_t got = recv(fd, in + held, (1 << 16) - 1 - held, 0);
        if (got <= 0) break;
        held += (size_t)got;
        in[held] = 0;
        char *tail = strstr(in, "\r\n\r\n");
        if (!tail) { if (held > 60000) break; continue; }
        char path[4096] = "/";
        sscanf(in, "%*s %4095s", path);
        size_t size = answer(path, out + 256, room);
        int head = snprintf(out, 256, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
        memmove(out + head, out + 256, size);
        send_all(fd, out, (size_t)head + size);
        held = 0;
    }
    close(fd);
    free(in);
    free(out);
    return 0;
}

static int serve(const char *given) {
    const char *wanted = given ? given : getenv("PORT");
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = INADDR_ANY};
    at.sin_port = htons((unsigned short)atoi(wanted ? wanted : "8080"));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) {
        perror("listen");
        return 1;
    }
    printf("listening on %d\n", ntohs(at.sin_port));
    for (;;) {
        pthread_t thread;
        pthread_attr_t detached;
        int fd = accept4(listener, 0, 0, SOCK_CLOEXEC);
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&detached, 65536);
        if (pthread_create(&thread, &detached, converse, (void *)(long)fd)) close(fd);
    }
}

static int copy(void) {
    char data[65536];
    ssize_t got;
    while ((got = read(0, data, sizeof data)) > 0)
        for (ssize_t at = 0, put; at < got; at += put)
            if ((put = write(1, data + at, (size_t)(got - at))) < 0) return 1;
    return got < 0;
}

static int tell_size(void) {
    struct winsize size = {0};
    while (!ioctl(0, TIOCGWINSZ, &size) && !size.ws_col) usleep(2000);
    return printf("%d %d\n", size.ws_row, size.ws_col) < 0;
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "serve", *word = argc > 2 ? argv[2] : 0;
    words = argv;
    setvbuf(stdout, 0, _IOLBF, 0);
    signal(SIGTERM, end);
    if (!strcmp(verb, "serve")) return serve(word);
    if (!strcmp(verb, "exit")) return atoi(word);
    if (!strcmp(verb, "print")) return puts(word) < 0;
    if (!strcmp(verb, "show")) return printf("%s=%s\n", word, getenv(word) ? getenv(word) : "") < 0;
    if (!strcmp(verb, "cat")) return copy();
    if (!strcmp(verb, "warn")) return fprintf(stderr, "%s\n", word) < 0;
    if (!strcmp(verb, "size")) return tell_size();
    if (!strcmp(verb, "forever")) puts("forever");
    if (!strcmp(verb, "deaf")) { signal(SIGTERM, SIG_IGN); puts("deaf"); }
    if (!strcmp(verb, "hog")) { if (take_memory(atol(word))) return 12; puts("taken"); }
    if (!strcmp(verb, "fork")) { if (start_processes(atol(word))) return 11; puts("forked"); }
    if (!strcmp(verb, "message")) {
        const char *log = argc > 3 ? argv[3] : "/dev/termination-log";
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        return fd < 0 || write(fd, word, strlen(word)) < 0 || 1;
    }
    if (!strcmp(verb, "put")) {
        int fd = open(word, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        return fd < 0 || write(fd, argv[3], strlen(argv[3])) < 0;
    }
    wait_for_ever();
}
