/* Stands between a process and the kernel: loaded ahead of the C library by LD_PRELOAD, it lets system calls on the files
 * of a store fail, kills or stops the process over them, moves its clock, and writes down what reaches the disk.
 *
 * SOAK_CONTROL names a file that tests/soak/interposer.py maps too: which rules are armed can change while processes run.
 * SOAK_FIRED names the file to which every fault that fires is appended as one line, before it takes effect.
 * SOAK_JOURNAL names the file to which, while control->recording, each change of the store's files is appended.
 * SOAK_PREFIX is the beginning of the paths that are meant; all other files are left alone.
 *
 * The kernel is asked by syscall(), so nothing here depends on how the C library finds its own functions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call { OPEN = 1, WRITE, READ, FSYNC, FTRUNCATE, STAT, MMAP, RENAME, UNLINK, SEND, RECV, CALLS };
enum action { FAIL = 1, KILL, TEAR, STOP, DELAY };
enum change { WRITTEN = 1, CUT, SYNC_BEGUN, SYNC_ENDED, CREATED, RENAMED, REMOVED };
static const char *const NAMES[CALLS] = {"", "open", "write", "read", "fsync", "ftruncate", "stat", "mmap", "rename",
                                         "unlink", "send", "recv"};
static const char *const ACTIONS[] = {"", "fail", "kill", "tear", "stop", "delay"};
enum { RULES = 12, PATH_BYTES = 512, HIGH_DESCRIPTOR = 600 };

struct rule {
    int32_t call, action, error, every;
    _Atomic int64_t left;
    char path[40];
};

struct control {
    _Atomic int32_t armed, recording;
    _Atomic int64_t clock_nanoseconds;
    _Atomic uint64_t chance, syncs;
    struct rule rules[RULES];
};

struct record {
    int32_t kind, path_bytes;
    int64_t place;
    int32_t data_bytes, result;
};

static struct control *control;
static int fired = -1, journal = -1;
static char prefix[PATH_BYTES];
static size_t prefix_bytes;

static int opened_high(const char *name, int flags) {
    const char *path = getenv(name);
    if (!path) return -1;
    int low = syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
    if (low < 0) return -1;
    int high = fcntl(low, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR); /* Programs expect low descriptors to be theirs. */
    syscall(SYS_close, low);
    return high;
}

__attribute__((constructor)) static void begin(void) {
    const char *named = getenv("SOAK_PREFIX");
    int descriptor = opened_high("SOAK_CONTROL", O_RDWR);
    if (!named || descriptor < 0) return;
    snprintf(prefix, sizeof prefix, "%s", named);
    prefix_bytes = strlen(prefix);
    void *map = (void *)syscall(SYS_mmap, NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0L);
    syscall(SYS_close, descriptor);
    if (map == MAP_FAILED) return;
    fired = opened_high("SOAK_FIRED", O_WRONLY | O_APPEND);
    journal = opened_high("SOAK_JOURNAL", O_WRONLY | O_APPEND);
    control = map;
}

static int is_watched(void) { return control && (control->armed || control->recording); }

static int is_ours(const char *path) { return path && !strncmp(path, prefix, prefix_bytes); }

static const char *path_of(int descriptor, char *into) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t bytes = syscall(SYS_readlinkat, AT_FDCWD, link, into, (size_t)PATH_BYTES - 1);
    into[bytes > 0 ? bytes : 0] = 0;
    return into;
}

/* Paths that do not begin with a slash count from the working directory, as SQLite and Python never use them here. */

static uint64_t drawn(void) { /* A linear congruential generator, shared by all processes: its seed is the round's. */
    uint64_t before = control->chance, after;
    do after = before * 6364136223846793005u + 1442695040888963407u;
    while (!atomic_compare_exchange_weak(&control->chance, &before, after));
    return after >> 33;
}

static struct rule *firing(enum call call, const char *path) {
    if (!control->armed) return NULL;
    for (struct rule *rule = control->rules; rule < control->rules + RULES; rule++) {
        if (rule->call != (int32_t)call || rule->left <= 0 || !strstr(path, rule->path)) continue;
        if (atomic_fetch_sub(&rule->left, 1) != 1) continue;
        if (rule->every) rule->left = 1 + drawn() % (2 * rule->every);
        return rule;
    }
    return NULL;
}

static void note(enum call call, const struct rule *rule, const char *path) {
    char line[PATH_BYTES + 96];
    const char *last = strrchr(path, '/');
    int bytes = snprintf(line, sizeof line, "%d %s %s %d %s\n", getpid(), ACTIONS[rule->action], NAMES[call], rule->error,
                         last ? last + 1 : path);
    syscall(SYS_write, fired, line, (size_t)bytes);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) syscall(SYS_sched_yield);
}

/* Let the rule that fires, if any, take effect; return whether the call is to fail, with errno set, or to be torn (2). */
static int meddled(enum call call, const char *path) {
    struct rule *rule = firing(call, path);
    if (!rule) return 0;
    note(call, rule, path);
    if (rule->action == FAIL) return errno = rule->error, 1;
    if (rule->action == TEAR) return 2;
    if (rule->action == KILL) die();
    if (rule->action == STOP) syscall(SYS_kill, getpid(), SIGSTOP);
    if (rule->action == DELAY) syscall(SYS_nanosleep, &(struct timespec){0, 50000000}, NULL);
    return 0;
}

static int is_recorded(const char *path) {
    size_t bytes = strlen(path);
    return control->recording && (bytes < 4 || strcmp(path + bytes - 4, "-shm"));
}

static void record(enum change kind, const char *path, int64_t place, const void *data, size_t bytes, int result) {
    int before = errno;
    struct record head = {kind, (int32_t)strlen(path), place, (int32_t)bytes, result};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, strlen(path)}, {(void *)data, bytes}};
    syscall(SYS_writev, journal, parts, 3);
    errno = before;
}

/* Opening */

static int opened(int folder, const char *path, int flags, mode_t mode) {
    if (!is_watched() || !is_ours(path)) return syscall(SYS_openat, folder, path, flags, mode);
    if (meddled(OPEN, path) == 1) return -1;
    int is_new = (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
    int descriptor = syscall(SYS_openat, folder, path, flags, mode);
    if (descriptor >= 0 && is_recorded(path)) {
        if (is_new) record(CREATED, path, 0, NULL, 0, 0);
        if (flags & O_TRUNC) record(CUT, path, 0, NULL, 0, 0);
    }
    return descriptor;
}

#define WITH_MODE(call)                                 \
    mode_t mode = 0;                                    \
    if (flags & (O_CREAT | O_TMPFILE)) {                \
        va_list more;                                   \
        va_start(more, flags);                          \
        mode = (mode_t)va_arg(more, int);               \
        va_end(more);                                   \
    }                                                   \
    return call

int open(const char *path, int flags, ...) { WITH_MODE(opened(AT_FDCWD, path, flags, mode)); }
int open64(const char *path, int flags, ...) { WITH_MODE(opened(AT_FDCWD, path, flags, mode)); }
int openat(int folder, const char *path, int flags, ...) { WITH_MODE(opened(folder, path, flags, mode)); }
int openat64(int folder, const char *path, int flags, ...) { WITH_MODE(opened(folder, path, flags, mode)); }

/* Writing and reading */

static ssize_t wrote(int descriptor, const void *data, size_t bytes, off_t place) { /* place -1: where the file stands */
    char room[PATH_BYTES];
    const char *path = is_watched() ? path_of(descriptor, room) : "";
    if (!*path || !is_ours(path))
        return place < 0 ? syscall(SYS_write, descriptor, data, bytes) : syscall(SYS_pwrite64, descriptor, data, bytes, place);
    int meddling = meddled(WRITE, path);
    if (meddling == 1) return -1;
    size_t whole = meddling == 2 ? bytes / 2 : bytes;
    ssize_t done = place < 0 ? syscall(SYS_write, descriptor, data, whole) : syscall(SYS_pwrite64, descriptor, data, whole, place);
    if (done > 0 && is_recorded(path)) {
        int64_t at = place < 0 ? syscall(SYS_lseek, descriptor, 0L, SEEK_CUR) - done : place;
        record(WRITTEN, path, at, data, (size_t)done, 0);
    }
    if (meddling == 2) die();
    return done;
}

ssize_t write(int descriptor, const void *data, size_t bytes) { return wrote(descriptor, data, bytes, -1); }
ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t place) { return wrote(descriptor, data, bytes, place); }
ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off_t place) { return wrote(descriptor, data, bytes, place); }

static ssize_t fetched(int descriptor, void *data, size_t bytes, off_t place) {
    char room[PATH_BYTES];
    if (control && control->armed && is_ours(path_of(descriptor, room)) && meddled(READ, room) == 1) return -1;
    return syscall(SYS_pread64, descriptor, data, bytes, place);
}

ssize_t pread(int descriptor, void *data, size_t bytes, off_t place) { return fetched(descriptor, data, bytes, place); }
ssize_t pread64(int descriptor, void *data, size_t bytes, off_t place) { return fetched(descriptor, data, bytes, place); }

static int truncated(int descriptor, off_t bytes) {
    char room[PATH_BYTES];
    if (!is_watched() || !is_ours(path_of(descriptor, room))) return syscall(SYS_ftruncate, descriptor, bytes);
    if (meddled(FTRUNCATE, room) == 1) return -1;
    int result = syscall(SYS_ftruncate, descriptor, bytes);
    if (!result && is_recorded(room)) record(CUT, room, bytes, NULL, 0, 0);
    return result;
}

int ftruncate(int descriptor, off_t bytes) { return truncated(descriptor, bytes); }
int ftruncate64(int descriptor, off_t bytes) { return truncated(descriptor, bytes); }

/* What was written before a sync began is on disk when it has ended; what came in between may be. */
static int synced(int descriptor, long number) {
    char room[PATH_BYTES];
    if (!is_watched() || !is_ours(path_of(descriptor, room))) return syscall(number, descriptor);
    int64_t sync = atomic_fetch_add(&control->syncs, 1);
    int meddling = meddled(FSYNC, room);
    if (is_recorded(room)) record(SYNC_BEGUN, room, sync, NULL, 0, 0);
    int result = meddling == 1 ? -1 : syscall(number, descriptor);
    if (is_recorded(room)) record(SYNC_ENDED, room, sync, NULL, 0, result);
    return result;
}

int fsync(int descriptor) { return synced(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return synced(descriptor, SYS_fdatasync); }

/* Looking, mapping, names */

static int looked(int folder, const char *path, void *into, int flags) {
    if (control && control->armed && is_ours(path) && meddled(STAT, path) == 1) return -1;
    return syscall(SYS_newfstatat, folder, path, into, flags);
}

static int looked_at(int descriptor, void *into) {
    char room[PATH_BYTES];
    if (control && control->armed && is_ours(path_of(descriptor, room)) && meddled(STAT, room) == 1) return -1;
    return syscall(SYS_fstat, descriptor, into);
}

int stat(const char *path, struct stat *into) { return looked(AT_FDCWD, path, into, 0); }
int stat64(const char *path, struct stat64 *into) { return looked(AT_FDCWD, path, into, 0); }
int lstat(const char *path, struct stat *into) { return looked(AT_FDCWD, path, into, AT_SYMLINK_NOFOLLOW); }
int lstat64(const char *path, struct stat64 *into) { return looked(AT_FDCWD, path, into, AT_SYMLINK_NOFOLLOW); }
int fstatat(int folder, const char *path, struct stat *into, int flags) { return looked(folder, path, into, flags); }
int fstatat64(int folder, const char *path, struct stat64 *into, int flags) { return looked(folder, path, into, flags); }
int fstat(int descriptor, struct stat *into) { return looked_at(descriptor, into); }
int fstat64(int descriptor, struct stat64 *into) { return looked_at(descriptor, into); }

static void *mapped(void *at, size_t bytes, int rights, int flags, int descriptor, off_t place) {
    char room[PATH_BYTES];
    if (descriptor >= 0 && control && control->armed && is_ours(path_of(descriptor, room)) && meddled(MMAP, room) == 1)
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, bytes, rights, flags, descriptor, place);
}

void *mmap(void *at, size_t bytes, int rights, int flags, int file, off_t place) { return mapped(at, bytes, rights, flags, file, place); }
void *mmap64(void *at, size_t bytes, int rights, int flags, int file, off_t place) { return mapped(at, bytes, rights, flags, file, place); }

int rename(const char *from, const char *to) {
    int is_meant = is_watched() && is_ours(from);
    if (is_meant && meddled(RENAME, from) == 1) return -1;
    int result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (is_meant && !result && is_recorded(from)) record(RENAMED, from, 0, to, strlen(to), 0);
    return result;
}

int unlink(const char *path) {
    int is_meant = is_watched() && is_ours(path);
    if (is_meant && meddled(UNLINK, path) == 1) return -1;
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (is_meant && !result && is_recorded(path)) record(REMOVED, path, 0, NULL, 0, 0);
    return result;
}

/* The driver of PostgreSQL talks by send and recv; web servers do not use them. A connection that fails is cut for good:
 * the driver waits for what the server has to say about it, which would never come. */

static int is_cut(enum call call, int descriptor) {
    if (!control || !control->armed || meddled(call, "socket") != 1) return 0;
    int error = errno;
    syscall(SYS_shutdown, descriptor, SHUT_RDWR);
    errno = error;
    return 1;
}

ssize_t send(int descriptor, const void *data, size_t bytes, int flags) {
    return is_cut(SEND, descriptor) ? -1 : syscall(SYS_sendto, descriptor, data, bytes, flags, NULL, 0);
}

ssize_t recv(int descriptor, void *data, size_t bytes, int flags) {
    return is_cut(RECV, descriptor) ? -1 : syscall(SYS_recvfrom, descriptor, data, bytes, flags, NULL, NULL);
}

/* The clock of the calendar; the one that only measures stays as it is. */

int clock_gettime(clockid_t clock, struct timespec *into) {
    int result = syscall(SYS_clock_gettime, clock, into);
    if (result || !control || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
    int64_t now = into->tv_sec * 1000000000LL + into->tv_nsec + control->clock_nanoseconds;
    into->tv_sec = now / 1000000000;
    into->tv_nsec = now % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *into, void *zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    into->tv_sec = now.tv_sec;
    into->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
