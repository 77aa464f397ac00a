/* Records what a process does to the files of one folder, so that a test can work out what a power cut would have left of
 * them, and lets some of it fail. Loaded with LD_PRELOAD; the test reads the records (record.rs), which are in the order in
 * which things were done:
 *
 *     kind (1 byte), handle (4), number (8), length (4), then so many bytes; numbers are little-endian
 *
 * SHIM_FOLDER  the folder, without links in its path
 * SHIM_RECORD  where records go
 * SHIM_FAULT   "ERRNO FROM COUNT": of the calls that change a file, those from the FROM-th after the first answer fail
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
#define ANSWER "HTTP/1.1 202"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *folder;
static size_t folder_length;
static int record = -1;
static uint32_t handles[FILES]; /* by descriptor; 0: none of the folder's */
static uint32_t last_handle;
static int fault_errno;
static long fault_from, fault_count, calls = -1; /* counted from the first answer */

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

static void start(void)
{
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_send = dlsym(RTLD_NEXT, "send");
    real_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    folder = getenv("SHIM_FOLDER");
    folder_length = folder ? strlen(folder) : 0;
    const char *path = getenv("SHIM_RECORD");
    if (path)
        record = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const char *fault = getenv("SHIM_FAULT");
    if (fault && sscanf(fault, "%d %ld %ld", &fault_errno, &fault_from, &fault_count) != 3)
        abort();
}

static void take_turn(void)
{
    pthread_once(&once, start);
    pthread_mutex_lock(&turn);
}

static void end_turn(void)
{
    int kept = errno;
    pthread_mutex_unlock(&turn);
    errno = kept;
}

static void put(char kind, uint32_t handle, uint64_t number, const void *bytes, uint32_t length)
{
    if (record < 0)
        return;
    int kept = errno;
    unsigned char head[17];
    head[0] = kind;
    for (int i = 0; i < 4; i++)
        head[1 + i] = handle >> (8 * i);
    for (int i = 0; i < 8; i++)
        head[5 + i] = number >> (8 * i);
    for (int i = 0; i < 4; i++)
        head[13 + i] = length >> (8 * i);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, length}};
    if (real_writev(record, parts, length ? 2 : 1) != (ssize_t)(sizeof head + length))
        abort();
    errno = kept;
}

static const char *within(const char *path)
{
    if (!folder || strncmp(path, folder, folder_length) != 0)
        return NULL;
    if (path[folder_length] == 0)
        return path + folder_length;
    return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

static uint32_t handle_of(int fd)
{
    return fd >= 0 && fd < FILES ? handles[fd] : 0;
}

/* Whether this call is to fail. */
static int fails(void)
{
    if (!fault_errno || calls < 0)
        return 0;
    calls++;
    if (calls < fault_from || calls >= fault_from + fault_count)
        return 0;
    put('X', 0, fault_errno, NULL, 0);
    errno = fault_errno;
    return 1;
}

static int do_open(const char *path, int flags, mode_t mode)
{
    take_turn();
    const char *name = within(path);
    int creates = name && (flags & O_CREAT) && access(path, F_OK) != 0;
    int fd = -1;
    if (!creates || !fails())
        fd = real_open(path, flags, mode);
    if (name && fd >= 0 && fd < FILES) {
        handles[fd] = ++last_handle;
        put('O', last_handle, creates, name, strlen(name));
        if ((flags & O_TRUNC) && !creates)
            put('S', last_handle, 0, NULL, 0);
    }
    end_turn();
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return do_open(path, flags, mode);                                                                             \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    take_turn();
    if (handle_of(fd))
        handles[fd] = 0;
    int result = real_close(fd);
    end_turn();
    return result;
}

static int is_zero(const unsigned char *bytes, size_t length)
{
    return length >= 4096 && bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

static void put_write(uint32_t handle, off_t offset, const void *bytes, size_t length)
{
    if (is_zero(bytes, length)) {
        uint64_t zeros = length;
        put('Z', handle, offset, &zeros, sizeof zeros);
    } else {
        put('W', handle, offset, bytes, length);
    }
}

static ssize_t do_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    take_turn();
    uint32_t handle = handle_of(fd);
    ssize_t result;
    if (handle && fails()) {
        /* A full disk may take a part first. */
        result = errno == ENOSPC && length > 1024 && calls == fault_from
                     ? real_pwrite(fd, bytes, length / 2, offset)
                     : -1;
    } else {
        result = real_pwrite(fd, bytes, length, offset);
    }
    if (handle && result > 0)
        put_write(handle, offset, bytes, result);
    end_turn();
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return do_pwrite(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset)
{
    return do_pwrite(fd, bytes, length, offset);
}

/* An answer is recorded before it goes out: all that it promises must have been done by then. */
static void see_answer(const struct iovec *parts, size_t count)
{
    if (!count || parts[0].iov_len < sizeof ANSWER - 1 || memcmp(parts[0].iov_base, ANSWER, sizeof ANSWER - 1) != 0)
        return;
    char answer[4096];
    size_t length = 0;
    for (size_t i = 0; i < count && length < sizeof answer; i++) {
        size_t room = sizeof answer - length;
        size_t part = parts[i].iov_len < room ? parts[i].iov_len : room;
        memcpy(answer + length, parts[i].iov_base, part);
        length += part;
    }
    take_turn();
    put('A', 0, 0, answer, length);
    if (calls < 0)
        calls = 0;
    end_turn();
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    pthread_once(&once, start);
    struct iovec whole = {(void *)bytes, length};
    if (!handle_of(fd)) {
        see_answer(&whole, 1);
        return real_write(fd, bytes, length);
    }
    take_turn();
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t result = fails() ? -1 : real_write(fd, bytes, length);
    if (result > 0)
        put_write(handle_of(fd), offset, bytes, result);
    end_turn();
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    pthread_once(&once, start);
    see_answer(parts, count);
    return real_writev(fd, parts, count);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    pthread_once(&once, start);
    struct iovec whole = {(void *)bytes, length};
    see_answer(&whole, 1);
    return real_send(fd, bytes, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    pthread_once(&once, start);
    see_answer(message->msg_iov, message->msg_iovlen);
    return real_sendmsg(fd, message, flags);
}

static int do_ftruncate(int fd, off_t length)
{
    take_turn();
    uint32_t handle = handle_of(fd);
    int result = handle && fails() ? -1 : real_ftruncate(fd, length);
    if (handle && result == 0)
        put('S', handle, length, NULL, 0);
    end_turn();
    return result;
}

int ftruncate(int fd, off_t length)
{
    return do_ftruncate(fd, length);
}

int ftruncate64(int fd, off_t length)
{
    return do_ftruncate(fd, length);
}

/* What is recorded is all that counts: nothing is really synced. */
static int do_sync(int fd, int (*sync)(int))
{
    take_turn();
    uint32_t handle = handle_of(fd);
    int result = 0;
    if (!handle)
        result = sync(fd);
    else if (fault_errno != ENOSPC && fails()) /* a full disk is found out when writing */
        result = -1;
    if (handle)
        put(result == 0 ? 'F' : 'E', handle, 0, NULL, 0);
    end_turn();
    return result;
}

int fsync(int fd)
{
    pthread_once(&once, start);
    return do_sync(fd, real_fsync);
}

int fdatasync(int fd)
{
    pthread_once(&once, start);
    return do_sync(fd, real_fdatasync);
}

int unlink(const char *path)
{
    take_turn();
    const char *name = within(path);
    int result = real_unlink(path);
    if (name && result == 0)
        put('U', 0, 0, name, strlen(name));
    end_turn();
    return result;
}

int rename(const char *from, const char *to)
{
    take_turn();
    const char *old = within(from), *new = within(to);
    int result = real_rename(from, to);
    if (old && new && result == 0) {
        char names[8192];
        int length = snprintf(names, sizeof names, "%s%c%s", old, 0, new);
        put('R', 0, 0, names, length);
    }
    end_turn();
    return result;
}
