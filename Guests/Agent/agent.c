// The agent: what runs in the guest for whoever drives it from the host. It starts programs and hands their streams and
// statuses on, reads and writes files, mounts, and reads the kernel's log, through a port of a virtio console, so that
// neither the guest's console nor a network is needed. Sources/ApusGuest/Agent has the other side of the protocol.
//
// The kernel starts it as the first process (rdinit=/.apus/agent). It leaves a supervisor that runs the agent proper
// again when that is killed, and becomes the initramfs's own /init; without one it is the init itself.
//
// For tests: `agent --descriptor N KEY` serves a descriptor and is nobody's init.
//
// No C library, no allocation: all it has is below, and what is not touched takes no memory.

#include "system.h"

enum { version = 1 };
enum { header_size = 12, input_window = 64 << 10, piece = 32 << 10, stream_limit = 64, word_limit = 4096,
       last_rounds = 6 }; // three pieces of each pipe are more than it holds

// Each side begins with the machine's key, 16 bytes that nobody else has, and with it anew whenever an agent starts:
// what an agent that was killed, or a guest that was reset, left half said is passed over by both. Behind it come
// frames: u32 bytes of payload, u32 stream, u32 kind, payload; all little-endian.
enum kind {
    // To the agent.
    kind_start = 1,      // u32 number of arguments, u32 number of variables; folder, root, arguments, variables
    kind_input = 2,      // bytes
    kind_input_end = 3,  //
    kind_signal = 4,     // u32 signal
    kind_read = 5,       // path
    kind_write = 6,      // u32 mode; path
    kind_folder = 7,     // u32 mode; path, whose parents are made, too
    kind_mount = 8,      // u32 low and high half of the flags; source, target, type, options
    kind_kernel_log = 9, //
    kind_shut_down = 10, // u32 magic of reboot(2)
    kind_ping = 11,      //
    kind_module = 12,    // path of a kernel module, parameters
    kind_link = 13,      // target, path
    // To the host.
    kind_hello = 64,        // u32 version, u32 how often the agent was started anew
    kind_started = 65,      // u32 process
    kind_output = 66,       // bytes
    kind_error_output = 67, // bytes
    kind_consumed = 68,     // u32 bytes of input that are out of the window
    kind_exited = 69,       // u32 status
    kind_killed = 70,       // u32 signal
    kind_failed = 71,       // u32 errno; in the upper half what failed, of a program's start: see enum step
};

// What fails before a program runs.
enum step { step_program = 0, step_folder = 1, step_root = 2 };

struct stream {
    u32 id;
    int is_used;
    int process, process_descriptor;
    int input, output, errors; // descriptors, -1 where there is none
    u32 begin, end;            // of what waits in `buffer`
    int input_ended;
    int rounds; // in which the last output of a program that has ended is still read
    u8 *buffer;
};

static struct stream streams[stream_limit];
static u8 buffers[stream_limit][input_window];
static u8 incoming[(256 << 10) + header_size];
static u32 incoming_count;
static u8 outgoing[8 * (piece + header_size)];
static u32 outgoing_begin, outgoing_end;
static int port;
static u8 key[16];
static u32 key_matched;
static int is_init;
static char *words[word_limit + 1];
static char **first_environment;

// MARK: What a C library would have

typedef u64 unaligned_word __attribute__((aligned(1), may_alias));

// Upwards, also where the two overlap so that this is right.
static void *copy(void *to, const void *from, unsigned long count) {
    u8 *t = to;
    const u8 *f = from;
    while (count >= 8) {
        *(unaligned_word *)t = *(const unaligned_word *)f;
        t += 8, f += 8, count -= 8;
    }
    while (count-- > 0) *t++ = *f++;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, unsigned long count) { return copy(to, from, count); }

void *memmove(void *to, const void *from, unsigned long count) {
    u8 *t = to;
    const u8 *f = from;
    if (t <= f) return copy(to, from, count);
    while (count-- > 0) t[count] = f[count];
    return to;
}

void *memset(void *to, int value, unsigned long count) {
    for (u8 *t = to; count > 0; count--) *t++ = (u8)value;
    return to;
}

static unsigned long length(const char *text) {
    unsigned long count = 0;
    while (text[count]) count++;
    return count;
}

static int is_equal(const char *one, const char *other) {
    while (*one && *one == *other) one++, other++;
    return *one == *other;
}

static int has_prefix(const char *text, const char *prefix) {
    while (*prefix && *text == *prefix) text++, prefix++;
    return *prefix == 0;
}

static int contains(const char *text, char wanted) {
    while (*text)
        if (*text++ == wanted) return 1;
    return 0;
}

static void copy_text(char *to, unsigned long room, const char *one, const char *two, const char *three) {
    const char *parts[] = {one, two, three};
    unsigned long count = 0;
    for (int part = 0; part < 3; part++)
        for (const char *from = parts[part]; *from && count + 1 < room; from++) to[count++] = *from;
    to[count] = 0;
}

static u32 number_at(const u8 *bytes) {
    return (u32)bytes[0] | (u32)bytes[1] << 8 | (u32)bytes[2] << 16 | (u32)bytes[3] << 24;
}

static void put_number(u8 *bytes, u32 value) {
    for (int index = 0; index < 4; index++) bytes[index] = (u8)(value >> 8 * index);
}

static u64 decimal(const char **text) {
    u64 value = 0;
    while (**text >= '0' && **text <= '9') value = value * 10 + (u64)(*(*text)++ - '0');
    return value;
}

static void sleep_milliseconds(long count) {
    struct timespec time = {count / 1000, count % 1000 * 1000000};
    call(sys_nanosleep, &time, 0);
}

static _Noreturn void end(int status) {
    for (;;) call(sys_exit, status);
}

static void close(int *descriptor) {
    if (*descriptor >= 0) call(sys_close, *descriptor);
    *descriptor = -1;
}

// MARK: To the host

static int has_room(void) { return sizeof outgoing - outgoing_end >= piece + header_size; }

// There is room: what is bound is asked for it before, and what is not is a few bytes for each frame that was read.
static u8 *begin_frame(u32 stream, enum kind kind, u32 count) {
    u8 *frame = outgoing + outgoing_end;
    if (outgoing_end + header_size + count > sizeof outgoing) return 0;
    put_number(frame, count);
    put_number(frame + 4, stream);
    put_number(frame + 8, kind);
    outgoing_end += header_size + count;
    return frame + header_size;
}

static void say_number(u32 stream, enum kind kind, u32 number) {
    u8 *payload = begin_frame(stream, kind, 4);
    if (payload) put_number(payload, number);
}

static void send_some(void) {
    while (outgoing_begin < outgoing_end) {
        long count = call(sys_write, port, outgoing + outgoing_begin, outgoing_end - outgoing_begin);
        if (count == -EINTR) continue;
        if (count <= 0) break;
        outgoing_begin += (u32)count;
    }
    if (outgoing_begin > 0) {
        memmove(outgoing, outgoing + outgoing_begin, outgoing_end - outgoing_begin);
        outgoing_end -= outgoing_begin;
        outgoing_begin = 0;
    }
}

// MARK: Streams

static struct stream *find(u32 id) {
    for (int index = 0; index < stream_limit; index++)
        if (streams[index].is_used && streams[index].id == id) return &streams[index];
    return 0;
}

static struct stream *make_stream(u32 id) {
    for (int index = 0; index < stream_limit; index++) {
        struct stream *stream = &streams[index];
        if (stream->is_used) continue;
        *stream = (struct stream){.id = id, .is_used = 1, .process = -1, .process_descriptor = -1, .input = -1,
                                  .output = -1, .errors = -1, .rounds = last_rounds, .buffer = buffers[index]};
        return stream;
    }
    say_number(id, kind_failed, EMFILE);
    return 0;
}

static void forget(struct stream *stream) {
    close(&stream->input);
    close(&stream->output);
    close(&stream->errors);
    close(&stream->process_descriptor);
    stream->is_used = 0;
}

static void fail(struct stream *stream, long error) {
    say_number(stream->id, kind_failed, (u32)-error);
    forget(stream);
}

// Hands on what a program or a file has: one piece at a time.
static int hand_on(struct stream *stream, int *descriptor, enum kind kind) {
    if (*descriptor < 0 || !has_room()) return 0;
    u8 *payload = outgoing + outgoing_end + header_size;
    long count = call(sys_read, *descriptor, payload, piece);
    if (count == -EAGAIN || count == -EINTR) return 0;
    if (count > 0) {
        begin_frame(stream->id, kind, (u32)count);
        return 1;
    }
    close(descriptor);
    // A file that was read is complete, or could not be read on.
    if (stream->process < 0) {
        if (count < 0) {
            fail(stream, count);
        } else {
            say_number(stream->id, kind_exited, 0);
            forget(stream);
        }
    }
    return 0;
}

static void feed(struct stream *stream) {
    u32 consumed = 0;
    long error = 0;
    // A file that is read ends by itself.
    if (stream->process < 0 && stream->input < 0) return;
    while (stream->begin < stream->end && stream->input >= 0) {
        long count = call(sys_write, stream->input, stream->buffer + stream->begin, stream->end - stream->begin);
        if (count == -EINTR) continue;
        if (count == -EAGAIN) break;
        if (count <= 0) {
            error = count;
            close(&stream->input);
            break;
        }
        stream->begin += (u32)count;
        consumed += (u32)count;
    }
    // Who reads no more gets no more: what was sent counts as taken.
    if (stream->input < 0) consumed += stream->end - stream->begin, stream->begin = stream->end;
    if (consumed > 0) say_number(stream->id, kind_consumed, consumed);
    if (stream->begin == stream->end) stream->begin = stream->end = 0;
    if (stream->process < 0 && error < 0) return fail(stream, error);
    if (stream->begin == stream->end && stream->input_ended) {
        close(&stream->input);
        if (stream->process < 0) {
            say_number(stream->id, kind_exited, 0);
            forget(stream);
        }
    }
}

// Whoever reads has gone, also where nothing waits: that would be told for ever.
static void feed_or_close(struct stream *stream, short events) {
    if (events & POLLERR) close(&stream->input);
    feed(stream);
}

// MARK: Programs

// Takes the next text of a payload.
static char *next_text(u8 **at, u8 *limit) {
    char *text = (char *)*at;
    while (*at < limit && **at) (*at)++;
    if (*at == limit) return 0;
    (*at)++;
    return text;
}

static const char *variable(char **environment, const char *name) {
    for (; *environment; environment++)
        if (has_prefix(*environment, name) && (*environment)[length(name)] == '=')
            return *environment + length(name) + 1;
    return 0;
}

// As execvp(): a file without a magic number is the shell's.
static long execute(char **arguments, char **environment) {
    static char path[4096];
    const char *folders = variable(environment, "PATH");
    long result = -ENOENT;
    if (contains(arguments[0], '/')) return call(sys_execve, arguments[0], arguments, environment);
    if (!folders) folders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    while (1) {
        unsigned long count = 0;
        while (folders[count] && folders[count] != ':') count++;
        if (count + length(arguments[0]) + 2 <= sizeof path) {
            memcpy(path, folders, count);
            copy_text(path + count, sizeof path - count, count > 0 ? "/" : "", arguments[0], "");
            long error = call(sys_execve, path, arguments, environment);
            if (error != -ENOENT && error != -ENOTDIR) result = error;
            if (error != -ENOENT && error != -ENOTDIR && error != -EACCES) return error;
        }
        if (!folders[count]) return result;
        folders += count + 1;
    }
}

// Goes where the guest's init is: it may have another root by now than the file system that the agent was started in.
static long enter_guest(void) {
    if (is_init) return 0;
    int space = (int)call(sys_openat, AT_FDCWD, "/.apus/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
    int root = (int)call(sys_openat, AT_FDCWD, "/.apus/proc/1/root", O_RDONLY | O_CLOEXEC);
    long error = 0;
    if (space >= 0 && root >= 0) {
        error = call(sys_setns, space, CLONE_NEWNS);
        if (error >= 0) error = call(sys_fchdir, root);
        if (error >= 0) error = call(sys_chroot, ".");
    }
    close(&space);
    close(&root);
    return error;
}

static void be_program(const char *folder, const char *root, char **arguments, char **environment, int *pipes,
                       int told) {
    u64 none = 0;
    long error = 0;
    enum step step = step_root;
    call(sys_setsid);
    // Nobody knows of it any more when the agent has gone.
    call(sys_prctl, PR_SET_PDEATHSIG, SIGKILL);
    for (int number = 0; number < 3 && error >= 0; number++) error = call(sys_dup3, pipes[number], number, 0);
    call(sys_rt_sigprocmask, 2, &none, 0, sizeof none);
    if (error >= 0) error = enter_guest();
    if (error >= 0 && *root) error = call(sys_chroot, root);
    if (error >= 0) {
        step = step_folder;
        error = call(sys_chdir, *folder ? folder : "/");
    }
    if (error >= 0) {
        step = step_program;
        error = execute(arguments, environment);
    }
    int code = -((int)-error | (int)step << 16);
    call(sys_write, told, &code, sizeof code);
    end(127);
}

// Makes the three pipes of a program's streams: the program's ends to `theirs`, this side's to `ours`.
static long make_pipes(int *theirs, int *ours) {
    for (int number = 0; number < 3; number++) {
        int ends[2];
        long error = call(sys_pipe2, ends, O_CLOEXEC);
        if (error < 0) return error;
        theirs[number] = ends[number == 0 ? 0 : 1];
        ours[number] = ends[number == 0 ? 1 : 0];
        call(sys_fcntl, ours[number], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

static void start(u32 id, u8 *payload, u32 count) {
    u8 *at = payload + 8, *limit = payload + count;
    u32 arguments = count >= 8 ? number_at(payload) : 0, variables = count >= 8 ? number_at(payload + 4) : 0;
    if (arguments == 0) return say_number(id, kind_failed, EINVAL);
    if (arguments >= word_limit || variables >= word_limit - arguments) return say_number(id, kind_failed, E2BIG);
    char *folder = next_text(&at, limit), *root = next_text(&at, limit);
    char **environment = words + arguments + 1, *word = root;
    for (u32 index = 0; index < arguments && word; index++) words[index] = word = next_text(&at, limit);
    for (u32 index = 0; index < variables && word; index++) environment[index] = word = next_text(&at, limit);
    if (!word) return say_number(id, kind_failed, EINVAL);
    words[arguments] = 0;
    environment[variables] = 0;
    if (variables == 0) environment = first_environment;

    struct stream *stream = make_stream(id);
    if (!stream) return;
    int theirs[3] = {-1, -1, -1}, ours[3] = {-1, -1, -1}, told[2] = {-1, -1}, process_descriptor = -1, error = 0;
    long result = make_pipes(theirs, ours);
    if (result >= 0) result = call(sys_pipe2, told, O_CLOEXEC);
    if (result >= 0) result = clone_process(CLONE_PIDFD | SIGCHLD, &process_descriptor);
    if (result == 0) be_program(folder, root, words, environment, theirs, told[1]);
    stream->process = (int)result;
    stream->process_descriptor = process_descriptor;
    stream->input = ours[0], stream->output = ours[1], stream->errors = ours[2];
    for (int number = 0; number < 3; number++) close(&theirs[number]);
    close(&told[1]);
    if (result < 0) {
        close(&told[0]);
        stream->process = -1;
        return fail(stream, result);
    }
    // It closes without a word when the program is there.
    long told_count;
    do told_count = call(sys_read, told[0], &error, sizeof error);
    while (told_count == -EINTR);
    close(&told[0]);
    if (told_count == sizeof error) {
        call(sys_wait4, stream->process, 0, 0, 0);
        return fail(stream, error);
    }
    say_number(id, kind_started, (u32)stream->process);
}

// What a program that has ended left in its pipes comes before its status; what others write there later is nobody's.
static void finish(struct stream *stream) {
    int status = 0;
    if (!has_room()) return;
    if (stream->rounds > 0) {
        stream->rounds--;
        if (hand_on(stream, &stream->output, kind_output)) return;
        if (hand_on(stream, &stream->errors, kind_error_output)) return;
        if (!has_room()) return;
    }
    if (call(sys_wait4, stream->process, &status, WNOHANG, 0) == 0) return;
    if (status & 0x7F) {
        say_number(stream->id, kind_killed, (u32)status & 0x7F);
    } else {
        say_number(stream->id, kind_exited, (u32)status >> 8 & 0xFF);
    }
    forget(stream);
}

// MARK: Files, mounts and the log

// In the root of the guest's init, whose links lead to places in there.
static long open_in_guest(const char *path, int flags, u32 mode) {
    if (is_init) return call(sys_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NONBLOCK, mode);
    struct open_how how = {(u64)(flags | O_CLOEXEC | O_NONBLOCK), flags & O_CREAT ? mode : 0, RESOLVE_IN_ROOT};
    int root = (int)call(sys_openat, AT_FDCWD, "/.apus/proc/1/root", O_RDONLY | O_CLOEXEC);
    if (root < 0) return root;
    long result = call(sys_openat2, root, path, &how, sizeof how);
    close(&root);
    return result;
}

static void read_file(u32 id, const char *path) {
    struct stream *stream = make_stream(id);
    if (!stream) return;
    long result = open_in_guest(path, O_RDONLY, 0);
    if (result < 0) return fail(stream, result);
    stream->output = (int)result;
    say_number(id, kind_started, 0);
}

static void write_file(u32 id, u32 mode, const char *path) {
    struct stream *stream = make_stream(id);
    if (!stream) return;
    long result = open_in_guest(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (result < 0) return fail(stream, result);
    stream->input = (int)result;
    call(sys_fchmod, stream->input, mode);
    say_number(id, kind_started, 0);
}

static void answer(u32 id, long error) {
    if (error < 0) {
        say_number(id, kind_failed, (u32)-error);
    } else {
        say_number(id, kind_exited, 0);
    }
}

static void load_module(u32 id, const char *path, const char *parameters) {
    int file = (int)open_in_guest(path, O_RDONLY, 0);
    if (file < 0) return answer(id, file);
    long error = call(sys_finit_module, file, parameters, 0);
    close(&file);
    answer(id, error);
}

static long make_folder(char *path, u32 mode) {
    static char whole[4096 + 32];
    copy_text(whole, sizeof whole, is_init ? "" : "/.apus/proc/1/root/", path, "");
    for (char *at = whole + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        call(sys_mkdirat, AT_FDCWD, whole, 0755);
        *at = '/';
    }
    long error = call(sys_mkdirat, AT_FDCWD, whole, mode);
    return error == -EEXIST ? 0 : error;
}

// In place of what is there, unless that is a folder.
static long make_link(const char *target, const char *path) {
    static char whole[4096 + 32];
    copy_text(whole, sizeof whole, is_init ? "" : "/.apus/proc/1/root/", path, "");
    long error = call(sys_symlinkat, target, AT_FDCWD, whole);
    if (error != -EEXIST) return error;
    error = call(sys_unlinkat, AT_FDCWD, whole, 0);
    return error < 0 ? error : call(sys_symlinkat, target, AT_FDCWD, whole);
}

static long mount(const char *source, const char *target, const char *type, u64 flags, const char *options) {
    if (is_init) return call(sys_mount, source, target, type, flags, options);
    // Another process goes there: this one has its own files to come back to.
    int ends[2];
    long error = call(sys_pipe2, ends, O_CLOEXEC), result = 0;
    if (error < 0) return error;
    long child = clone_process(SIGCHLD, 0);
    if (child == 0) {
        result = enter_guest();
        if (result >= 0) result = call(sys_mount, source, target, type, flags, options);
        call(sys_write, ends[1], &result, sizeof result);
        end(0);
    }
    close(&ends[1]);
    if (child < 0 || call(sys_read, ends[0], &result, sizeof result) != sizeof result) result = -ENOMEM;
    close(&ends[0]);
    if (child > 0) call(sys_wait4, child, 0, 0, 0);
    return result;
}

// All that the kernel keeps of its messages.
static void read_kernel_log(u32 id) {
    static u8 text[1 << 20];
    long count = call(sys_syslog, SYSLOG_ACTION_READ_ALL, text, sizeof text);
    if (count < 0) return answer(id, count);
    struct stream *stream = make_stream(id);
    if (!stream) return;
    // A pipe of its own would hold less; the log goes out as fast as the host takes it.
    for (long at = 0; at < count;) {
        long room = count - at < piece ? count - at : piece;
        while (!has_room()) {
            struct pollfd wait = {port, POLLOUT, 0};
            call(sys_ppoll, &wait, 1, 0, 0, 0);
            send_some();
        }
        u8 *payload = begin_frame(id, kind_output, (u32)room);
        if (payload) memcpy(payload, text + at, (u64)room);
        at += room;
    }
    say_number(id, kind_exited, 0);
    forget(stream);
}

static _Noreturn void shut_down(u32 command) {
    call(sys_sync);
    for (;;) {
        call(sys_reboot, 0xFEE1DEADul, 672274793, command, 0);
        sleep_milliseconds(1000);
    }
}

// MARK: From the host

static void take_input(u32 id, const u8 *payload, u32 count) {
    struct stream *stream = find(id);
    // A program that has ended meanwhile: its status is under way.
    if (!stream) return;
    if (stream->input < 0) return say_number(id, kind_consumed, count);
    if (stream->begin > 0) {
        memmove(stream->buffer, stream->buffer + stream->begin, stream->end - stream->begin);
        stream->end -= stream->begin;
        stream->begin = 0;
    }
    // More than the window: not by this project's host. What is too much is lost, and the program is not to be misled.
    if (count > input_window - stream->end) {
        if (stream->process > 0) call(sys_kill, -stream->process, SIGKILL);
        return;
    }
    memcpy(stream->buffer + stream->end, payload, count);
    stream->end += count;
    feed(stream);
}

static void take_frame(u32 id, u32 kind, u8 *payload, u32 count) {
    u8 *at = payload, *limit = payload + count;
    struct stream *stream;
    char *texts[4];
    switch (kind) {
    case kind_start: return start(id, payload, count);
    case kind_input: return take_input(id, payload, count);
    case kind_input_end:
        if (!(stream = find(id))) return;
        stream->input_ended = 1;
        return feed(stream);
    case kind_signal:
        stream = find(id);
        if (stream && stream->process > 0 && count == 4) call(sys_kill, -stream->process, number_at(payload));
        return;
    case kind_read:
        if (!(texts[0] = next_text(&at, limit))) return answer(id, -EINVAL);
        return read_file(id, texts[0]);
    case kind_write:
    case kind_folder:
        at += 4;
        if (count < 4 || !(texts[0] = next_text(&at, limit))) return answer(id, -EINVAL);
        if (kind == kind_write) return write_file(id, number_at(payload), texts[0]);
        return answer(id, make_folder(texts[0], number_at(payload)));
    case kind_mount:
        at += 8;
        for (int index = 0; index < 4; index++)
            if (count < 8 || !(texts[index] = next_text(&at, limit))) return answer(id, -EINVAL);
        return answer(id, mount(texts[0], texts[1], texts[2], number_at(payload) | (u64)number_at(payload + 4) << 32,
                                texts[3]));
    case kind_kernel_log: return read_kernel_log(id);
    case kind_shut_down:
        if (count == 4) shut_down(number_at(payload));
        return answer(id, -EINVAL);
    case kind_ping: return answer(id, 0);
    case kind_module:
        for (int index = 0; index < 2; index++)
            if (!(texts[index] = next_text(&at, limit))) return answer(id, -EINVAL);
        return load_module(id, texts[0], texts[1]);
    case kind_link:
        for (int index = 0; index < 2; index++)
            if (!(texts[index] = next_text(&at, limit))) return answer(id, -EINVAL);
        return answer(id, make_link(texts[0], texts[1]));
    default: return answer(id, -EINVAL);
    }
}

// Passes over what was meant for an agent before this one.
static int is_in_step(void) {
    u32 at = 0;
    while (key_matched < sizeof key && at < incoming_count) {
        if (incoming[at] == key[key_matched]) {
            key_matched++, at++;
        } else if (key_matched == 0) {
            at++;
        } else {
            // Each of the key's bytes may begin it; those that matched are its beginning.
            u32 shorter = key_matched - 1;
            while (shorter > 0) {
                u32 same = 0;
                while (same < shorter && key[same] == key[key_matched - shorter + same]) same++;
                if (same == shorter) break;
                shorter--;
            }
            key_matched = shorter;
        }
    }
    memmove(incoming, incoming + at, incoming_count - at);
    incoming_count -= at;
    return key_matched == sizeof key;
}

// Answers to frames need no room of their own beyond what a frame is read for.
static void take_frames(void) {
    u32 at = 0;
    if (!is_in_step()) return;
    while (incoming_count - at >= header_size && has_room()) {
        u32 count = number_at(incoming + at);
        // What the host would never send; there is no way back into step.
        if (count > sizeof incoming - header_size) end(3);
        if (incoming_count - at < header_size + count) break;
        take_frame(number_at(incoming + at + 4), number_at(incoming + at + 8), incoming + at + header_size, count);
        at += header_size + count;
    }
    memmove(incoming, incoming + at, incoming_count - at);
    incoming_count -= at;
}

static void receive(int is_port) {
    long count = call(sys_read, port, incoming + incoming_count, sizeof incoming - incoming_count);
    if (count > 0) {
        incoming_count += (u32)count;
    } else if (count == 0 && is_port) {
        sleep_milliseconds(10); // nobody is connected
    } else if (count != -EAGAIN && count != -EINTR) {
        end(count == 0 ? 0 : 4);
    }
    take_frames();
}

static _Noreturn void serve(int is_port, u32 restarts) {
    struct pollfd waits[1 + 4 * stream_limit];
    u64 pipes = 1ul << (SIGPIPE - 1);
    call(sys_rt_sigprocmask, 0, &pipes, 0, sizeof pipes);
    memcpy(outgoing, key, sizeof key);
    outgoing_end = sizeof key;
    u8 *hello = begin_frame(0, kind_hello, 8);
    put_number(hello, version);
    put_number(hello + 4, restarts);
    for (;;) {
        u32 count = 1;
        send_some();
        take_frames();
        send_some();
        int room = has_room(), wants_more = room && incoming_count < sizeof incoming;
        waits[0] = (struct pollfd){port, (short)((wants_more ? POLLIN : 0) | (outgoing_end > 0 ? POLLOUT : 0)), 0};
        for (int index = 0; index < stream_limit; index++) {
            struct stream *stream = &streams[index];
            if (!stream->is_used) continue;
            if (room && stream->output >= 0) waits[count++] = (struct pollfd){stream->output, POLLIN, 0};
            if (room && stream->errors >= 0) waits[count++] = (struct pollfd){stream->errors, POLLIN, 0};
            if (room && stream->process > 0) waits[count++] = (struct pollfd){stream->process_descriptor, POLLIN, 0};
            if (stream->input >= 0)
                waits[count++] = (struct pollfd){stream->input, stream->begin < stream->end ? POLLOUT : 0, 0};
        }
        if (call(sys_ppoll, waits, count, 0, 0, 0) < 0) continue;
        if (waits[0].revents) receive(is_port);
        for (u32 wait = 1; wait < count; wait++) {
            if (!waits[wait].revents) continue;
            for (int index = 0; index < stream_limit; index++) {
                struct stream *stream = &streams[index];
                if (!stream->is_used) continue;
                if (stream->output == waits[wait].fd) hand_on(stream, &stream->output, kind_output);
                else if (stream->errors == waits[wait].fd) hand_on(stream, &stream->errors, kind_error_output);
                else if (stream->process > 0 && stream->process_descriptor == waits[wait].fd) finish(stream);
                else if (stream->input == waits[wait].fd) feed_or_close(stream, waits[wait].revents);
                else continue;
                break;
            }
        }
    }
}

// MARK: The first process

// As udev does. The agent's port is the last one, so that all others are there when it is.
static void link_port(const char *name, const char *entry) {
    static char from[256], to[256];
    if (!is_init) return;
    copy_text(from, sizeof from, "/dev/virtio-ports/", name, "");
    copy_text(to, sizeof to, "/dev/", entry, "");
    call(sys_mkdirat, AT_FDCWD, "/dev/virtio-ports", 0755);
    call(sys_symlinkat, to, AT_FDCWD, from);
}

// Finds the port by its name, which may come late: its driver may be a module.
static int open_port(const char *name) {
    static const char folder[] = "/.apus/sys/class/virtio-ports";
    static u8 entries[4096];
    static char path[512], text[128];
    for (long pause = 1;; pause = pause < 100 ? pause * 2 : 100) {
        int list = (int)call(sys_openat, AT_FDCWD, folder, O_RDONLY | O_CLOEXEC);
        long count = 0;
        while (list >= 0 && (count = call(sys_getdents64, list, entries, sizeof entries)) > 0) {
            for (long at = 0; at < count; at += *(u16 *)(entries + at + 16)) {
                const char *entry = (const char *)entries + at + 19;
                if (*entry == '.') continue;
                for (int step = 0; step < 2; step++) {
                    copy_text(path, sizeof path, folder, "/", entry);
                    copy_text(path + length(path), sizeof path - length(path), step == 0 ? "/name" : "/dev", "", "");
                    int file = (int)call(sys_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
                    long bytes = file < 0 ? -1 : call(sys_read, file, text, sizeof text - 1);
                    close(&file);
                    if (bytes <= 0) break;
                    text[bytes - (text[bytes - 1] == '\n')] = 0;
                    if (step == 0 && !is_equal(text, name)) {
                        link_port(text, entry);
                        break;
                    }
                    if (step == 0) continue;
                    const char *at_number = text;
                    u64 major = decimal(&at_number);
                    at_number++;
                    u64 device = major << 8 | decimal(&at_number);
                    call(sys_mknodat, AT_FDCWD, "/.apus/port", S_IFCHR | 0600, device);
                    int opened = (int)call(sys_openat, AT_FDCWD, "/.apus/port", O_RDWR | O_NONBLOCK | O_CLOEXEC);
                    if (opened >= 0) {
                        close(&list);
                        return opened;
                    }
                }
            }
        }
        close(&list);
        sleep_milliseconds(pause);
    }
}

// What agents need of the guest, and the key, which nobody else finds then.
static void prepare(void) {
    call(sys_mkdirat, AT_FDCWD, "/.apus/proc", 0700);
    call(sys_mkdirat, AT_FDCWD, "/.apus/sys", 0700);
    call(sys_mount, "proc", "/.apus/proc", "proc", 0, 0);
    call(sys_mount, "sysfs", "/.apus/sys", "sysfs", 0, 0);
    int file = (int)call(sys_openat, AT_FDCWD, "/.apus/key", O_RDONLY | O_CLOEXEC);
    call(sys_read, file, key, sizeof key);
    close(&file);
    call(sys_unlinkat, AT_FDCWD, "/.apus/key", 0);
}

// Keeps an agent running; each is told how many there were before.
static _Noreturn void supervise(void) {
    call(sys_setsid);
    if (!is_init) {
        call(sys_unshare, CLONE_NEWNS);
        call(sys_mount, "none", "/", 0, MS_PRIVATE_RECURSIVE, 0);
        prepare();
    }
    for (u32 restarts = 0;; restarts++) {
        long agent = clone_process(SIGCHLD, 0);
        if (agent == 0) {
            port = open_port("org.apus.agent");
            serve(1, restarts);
        }
        if (agent > 0) call(sys_wait4, agent, 0, 0, 0);
        sleep_milliseconds(10);
    }
}

// What programs expect of a system that has begun, without an init of the initramfs's own.
static void be_init(void) {
    static const char *const mounts[][3] = {
        {"/proc", "proc", ""},         {"/sys", "sysfs", ""},         {"/dev", "devtmpfs", ""},
        {"/dev/pts", "devpts", ""},    {"/dev/shm", "tmpfs", ""},     {"/run", "tmpfs", "mode=755"},
        {"/tmp", "tmpfs", "mode=1777"}, {"/sys/kernel/debug", "debugfs", ""}, {"/sys/kernel/tracing", "tracefs", ""},
    };
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
        {"/proc/self/fd/2", "/dev/stderr"},
    };
    for (unsigned index = 0; index < sizeof mounts / sizeof *mounts; index++) {
        call(sys_mkdirat, AT_FDCWD, mounts[index][0], 0755);
        call(sys_mount, mounts[index][1], mounts[index][0], mounts[index][1], 0, mounts[index][2]);
    }
    for (unsigned index = 0; index < sizeof links / sizeof *links; index++)
        call(sys_symlinkat, links[index][0], AT_FDCWD, links[index][1]);
    // The loopback interface, up: struct ifreq with IFF_UP | IFF_RUNNING.
    struct { char name[16]; u16 flags; char rest[22]; } loopback = {"lo", 0x41, ""};
    int any = (int)call(sys_socket, 2, 2 | O_CLOEXEC, 0);
    if (any >= 0) call(sys_ioctl, any, 0x8914, &loopback);
    close(&any);
}

static _Noreturn void run_as_first(char **arguments) {
    static char init[] = "/init";
    int file = (int)call(sys_openat, AT_FDCWD, init, O_RDONLY | O_CLOEXEC);
    is_init = file < 0;
    close(&file);
    if (is_init) {
        be_init();
        prepare();
    }
    for (;;) {
        long supervisor = clone_process(SIGCHLD, 0);
        if (supervisor == 0) supervise();
        if (!is_init) {
            arguments[0] = init;
            call(sys_execve, init, arguments, first_environment);
        }
        // Programs may kill this one, too; the kernel protects the first process alone.
        long ended = 0;
        while (ended != supervisor && ended != -ECHILD) {
            ended = call(sys_wait4, -1, 0, 0, 0);
        }
        sleep_milliseconds(10);
    }
}

__attribute__((used)) _Noreturn void begin(long *stack) {
    char **arguments = (char **)(stack + 1);
    first_environment = arguments + stack[0] + 1;
    if (stack[0] == 4 && is_equal(arguments[1], "--descriptor") && length(arguments[3]) == sizeof key) {
        const char *number = arguments[2];
        port = (int)decimal(&number);
        memcpy(key, arguments[3], sizeof key);
        is_init = 1;
        call(sys_fcntl, port, F_SETFL, O_NONBLOCK);
        call(sys_fcntl, port, F_SETFD, FD_CLOEXEC);
        serve(0, 0);
    }
    if (call(sys_getpid) != 1) end(2);
    run_as_first(arguments);
}
