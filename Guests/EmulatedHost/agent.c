// The first process of the emulated arm64 KVM host. It reads /start, which `run` appends to the host's initial file
// system, loads the kernel's modules if there are any, mounts what is listed there, runs one command and carries its
// standard streams and its exit status over a virtio-serial port. It ends with the command: `run` takes the machine
// down as soon as the status has arrived.
//
// /start is a list of strings, each ended by a zero byte; each item is a word and that word's arguments:
//
//     share TAG PATH OPTIONS    mount the 9p share TAG at PATH
//     directory PATH            the command's working directory
//     environment NAME=VALUE    a variable of the command's environment
//     argument TEXT             an argument of the command; the first is the command
//     terminal FLAGS            FLAGS: three digits, one each for standard input, output and error; 1 makes that
//                               stream the command's terminal, 0 a pipe
//     size ROWS COLUMNS         the terminal's size
//
// On the port, both ways, a frame is a type (1 byte), a length (4 bytes, little endian) and that many bytes:
//
//     to the command            from the command
//     i  standard input         o  standard output        x  exit status (wait status, 4 bytes, little endian), and the
//     e  end of standard input, r  standard error            tallies of standard input, output, error, terminal output
//        and its tally          t  terminal output        a  bytes of standard input taken (4 bytes, little endian)
//     w  size: rows, columns    b  the command begins     c  standard input was closed by the command
//        (2 bytes each)                                   f  the host failed: text
//     O  stop reading output
//     R  stop reading error
//     p  milliseconds that the host waited for a processor so far (8 bytes, little endian)
//
// A tally is what a stream has carried so far: how many bytes (8 bytes) and their CRC-32 (4 bytes), little endian. Each
// side compares the other's with its own, so that nothing is lost or changed on the way without a word.
//
// `run` never has more than INPUT_WINDOW bytes of standard input under way, so a command that doesn't read its input
// cannot keep a frame of another type from arriving.

#define _GNU_SOURCE
#include <arm_acle.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_WINDOW = 65536, FRAME_HEADER = 5, FRAME_LIMIT = 32768, MAX_ITEMS = 4096, MAX_SHARES = 64 };
enum { INPUT, OUTPUT, ERROR, TERMINAL, STREAMS, TALLY_SIZE = 12, TERMINAL_SECONDS = 60 };

static const char LOST_TIME[] = "/run/lost-time";

static int port = -1;

static struct {
    char *arguments[MAX_ITEMS + 1];
    char *environment[MAX_ITEMS + 1];
    char *shares[MAX_SHARES][3];
    int argument_count, environment_count, share_count;
    char *directory;
    int terminal[3];
    struct winsize size;
} start = {.directory = "/"};

static struct tally {
    uint64_t count;
    uint32_t checksum;
} tallies[STREAMS];

// Bytes of standard input that the command hasn't taken yet.
static struct {
    char bytes[INPUT_WINDOW];
    size_t begin, count;
    int ended;
    int descriptor;
} input = {.descriptor = -1};

static void pause_milliseconds(long count)
{
    struct timespec time = {.tv_nsec = count * 1000000};
    nanosleep(&time, NULL);
}

static void write_number(unsigned char *bytes, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(number >> (8 * i));
}

static void add_to_tally(struct tally *tally, const unsigned char *bytes, size_t count)
{
    uint32_t checksum = ~tally->checksum;
    tally->count += count;
    for (; count >= sizeof(uint64_t); bytes += sizeof(uint64_t), count -= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        checksum = __crc32d(checksum, word);
    }
    for (; count > 0; bytes++, count--)
        checksum = __crc32b(checksum, *bytes);
    tally->checksum = ~checksum;
}

static void write_tally(unsigned char *bytes, const struct tally *tally)
{
    write_number(bytes, tally->count, 8);
    write_number(bytes + 8, tally->checksum, 4);
}

// With a frame gone nobody could be told the truth over the port: the machine ends, and `run` shows the console.
static void write_to_port(const void *bytes, size_t count)
{
    const char *next = bytes;
    while (count > 0) {
        ssize_t written = write(port, next, count);
        if (written >= 0) {
            next += written;
            count -= (size_t)written;
        } else if (errno == ENOMEM) {
            // The port's driver copies what it sends, and the command may have all memory for now.
            pause_milliseconds(1);
        } else if (errno != EINTR && errno != EAGAIN) {
            dprintf(2, "agent: cannot write to the port to the caller: %s\n", strerror(errno));
            reboot(RB_POWER_OFF);
        }
    }
}

// One write for header and payload: a frame is one request to the device.
static void send_frame(char type, const void *payload, size_t count)
{
    static unsigned char frame[FRAME_LIMIT];
    frame[0] = (unsigned char)type;
    write_number(frame + 1, count, 4);
    memcpy(frame + FRAME_HEADER, payload, count);
    write_to_port(frame, FRAME_HEADER + count);
}

static void send_number(char type, uint32_t number)
{
    unsigned char bytes[4];
    write_number(bytes, number, sizeof bytes);
    send_frame(type, bytes, sizeof bytes);
}

static void send_end(int status)
{
    unsigned char bytes[4 + STREAMS * TALLY_SIZE];
    write_number(bytes, (uint32_t)status, 4);
    for (int stream = 0; stream < STREAMS; stream++)
        write_tally(bytes + 4 + stream * TALLY_SIZE, &tallies[stream]);
    send_frame('x', bytes, sizeof bytes);
}

// Tells `run` what the host could not do, or the console if there is no way to `run` yet, and ends there.
static _Noreturn void fail(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (count >= (int)sizeof text)
        count = sizeof text - 1;
    if (port >= 0) {
        send_frame('f', text, (size_t)count);
    } else {
        dprintf(2, "agent: %s\n", text);
        reboot(RB_POWER_OFF);
    }
    for (;;)
        pause();
}

static void make_folders(const char *path)
{
    char copy[4096];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        fail("path too long: %s", path);
    for (char *slash = copy + 1; *slash; slash++) {
        if (*slash != '/')
            continue;
        *slash = 0;
        mkdir(copy, 0755);
        *slash = '/';
    }
    mkdir(copy, 0755);
}

static void mount_at(const char *source, const char *path, const char *type, unsigned long flags, const char *options)
{
    make_folders(path);
    if (mount(source, path, type, flags, options) != 0 && errno != EBUSY)
        fail("cannot mount %s (%s) at %s: %s", source, type, path, strerror(errno));
}

// Puts a mount of the initial file system in front of itself. Nobody can leave the first one by pivot_root, which is
// how programs such as passt lock themselves out of the file system.
static void leave_first_mount(void)
{
    if (mount("/", "/mnt", NULL, MS_BIND, NULL) != 0 || chdir("/mnt") != 0 ||
        mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
        fail("cannot mount the initial file system once more: %s", strerror(errno));
}

static void mount_kernel_file_systems(void)
{
    mount_at("proc", "/proc", "proc", 0, NULL);
    mount_at("sysfs", "/sys", "sysfs", 0, NULL);
    mount_at("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mount_at("devpts", "/dev/pts", "devpts", 0, "mode=0620,ptmxmode=0666");
    mount_at("shm", "/dev/shm", "tmpfs", 0, "mode=1777");
    mount_at("tmp", "/tmp", "tmpfs", 0, "mode=1777,size=90%");
    mount_at("run", "/run", "tmpfs", 0, "mode=0755");
    mount_at("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
    mount_at("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
    // What udev does elsewhere.
    symlink("/proc/self/fd", "/dev/fd");
    symlink("/proc/self/fd/0", "/dev/stdin");
    symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
}

static int is_module(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

// What the host's kernel has as modules and not built in; each name begins with its place in the order. The port to the
// caller may need some of them, so what fails waits in `problem` for it.
static void load_modules(char *problem, size_t size)
{
    struct dirent **entries;
    int count = scandir("/modules", &entries, is_module, alphasort);
    for (int i = 0; i < count; i++) {
        char path[sizeof "/modules/" + sizeof entries[i]->d_name];
        snprintf(path, sizeof path, "/modules/%s", entries[i]->d_name);
        int descriptor = open(path, O_RDONLY | O_CLOEXEC);
        if ((descriptor < 0 || syscall(SYS_finit_module, descriptor, "", 0) != 0) && problem[0] == 0) {
            snprintf(problem, size, "cannot load the kernel's module %s: %s", path, strerror(errno));
            dprintf(2, "agent: %s\n", problem);
        }
        close(descriptor);
        unlink(path);
    }
}

static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return;
    ioctl(descriptor, SIOCSIFFLAGS, &request);
    close(descriptor);
}

// The port appears when the kernel has talked with the device, a moment after the first process starts.
static void open_port(void)
{
    for (int attempt = 0; attempt < 5000; attempt++) {
        port = open("/dev/vport0p1", O_RDWR | O_CLOEXEC);
        if (port >= 0)
            break;
        pause_milliseconds(1);
    }
    if (port < 0)
        fail("the port to the caller did not appear: %s", strerror(errno));
    for (int attempt = 0; attempt < 5000; attempt++) {
        struct pollfd connected = {.fd = port, .events = POLLOUT};
        if (poll(&connected, 1, 0) == 1 && !(connected.revents & POLLHUP))
            return;
        pause_milliseconds(1);
    }
    port = -1;
    fail("nobody holds the other end of the port");
}

// Memory of the initial file system is not given back, but the text has to live as long as the command's arguments.
static char *read_start(size_t *size)
{
    struct stat status;
    int descriptor = open("/start", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        fail("cannot open /start: %s", strerror(errno));
    char *text = malloc((size_t)status.st_size + 1);
    if (text == NULL || read(descriptor, text, (size_t)status.st_size) != status.st_size)
        fail("cannot read /start");
    text[status.st_size] = 0;
    *size = (size_t)status.st_size;
    close(descriptor);
    unlink("/start");
    return text;
}

static char *next_string(char **cursor, const char *end)
{
    char *string = *cursor;
    if (string >= end)
        fail("/start ends too early");
    *cursor += strlen(string) + 1;
    return string;
}

static void parse_start(void)
{
    size_t size;
    char *cursor = read_start(&size);
    const char *end = cursor + size;
    while (cursor < end) {
        const char *word = next_string(&cursor, end);
        if (strcmp(word, "share") == 0 && start.share_count < MAX_SHARES) {
            char **share = start.shares[start.share_count++];
            for (int i = 0; i < 3; i++)
                share[i] = next_string(&cursor, end);
        } else if (strcmp(word, "directory") == 0) {
            start.directory = next_string(&cursor, end);
        } else if (strcmp(word, "environment") == 0 && start.environment_count < MAX_ITEMS) {
            start.environment[start.environment_count++] = next_string(&cursor, end);
        } else if (strcmp(word, "argument") == 0 && start.argument_count < MAX_ITEMS) {
            start.arguments[start.argument_count++] = next_string(&cursor, end);
        } else if (strcmp(word, "terminal") == 0) {
            const char *flags = next_string(&cursor, end);
            for (int i = 0; i < 3 && flags[i]; i++)
                start.terminal[i] = flags[i] == '1';
        } else if (strcmp(word, "size") == 0) {
            start.size.ws_row = (unsigned short)atoi(next_string(&cursor, end));
            start.size.ws_col = (unsigned short)atoi(next_string(&cursor, end));
        } else {
            fail("unknown item or too many items in /start: %s", word);
        }
    }
    if (start.argument_count == 0)
        fail("/start names no command");
}

static void mount_shares(void)
{
    for (int i = 0; i < start.share_count; i++)
        mount_at(start.shares[i][0], start.shares[i][1], "9p", 0, start.shares[i][2]);
}

// The streams that belong to the command, and our end of each. Only one of pipe and terminal is used for a stream.
struct streams {
    int command[3];
    int ours[3];
    int master;
    // Stays open here while the command runs: without a holder the terminal would report a hang-up over and over.
    int slave;
};

static struct streams make_streams(void)
{
    struct streams streams = {.command = {-1, -1, -1}, .ours = {-1, -1, -1}, .master = -1, .slave = -1};
    if (start.terminal[0] || start.terminal[1] || start.terminal[2]) {
        if (openpty(&streams.master, &streams.slave, NULL, NULL, &start.size) != 0)
            fail("cannot make a terminal: %s", strerror(errno));
        fcntl(streams.master, F_SETFD, FD_CLOEXEC);
        fcntl(streams.slave, F_SETFD, FD_CLOEXEC);
        fcntl(streams.master, F_SETFL, O_NONBLOCK);
    }
    for (int i = 0; i < 3; i++) {
        if (start.terminal[i]) {
            streams.command[i] = streams.slave;
            continue;
        }
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            fail("cannot make a pipe: %s", strerror(errno));
        streams.command[i] = ends[i == 0 ? 0 : 1];
        streams.ours[i] = ends[i == 0 ? 1 : 0];
        fcntl(streams.ours[i], F_SETFL, O_NONBLOCK);
    }
    return streams;
}

static _Noreturn void become_command(const struct streams *streams)
{
    sigset_t none;
    sigemptyset(&none);
    setsid();
    if (streams->slave >= 0)
        ioctl(streams->slave, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++)
        dup2(streams->command[i], i);
    if (chdir(start.directory) != 0) {
        dprintf(2, "run: %s: %s\n", start.directory, strerror(errno));
        _exit(126);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    environ = start.environment;
    execvp(start.arguments[0], start.arguments);
    int error = errno;
    dprintf(2, "run: %s: %s\n", start.arguments[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

static void close_input(void)
{
    if (input.descriptor >= 0 && !start.terminal[0])
        close(input.descriptor);
    input.descriptor = -1;
    input.count = 0;
}

// Gives the command what it takes of its standard input now.
static void pass_input(void)
{
    uint32_t taken = 0;
    while (input.count > 0) {
        size_t run = input.count;
        if (input.begin + run > INPUT_WINDOW)
            run = INPUT_WINDOW - input.begin;
        ssize_t written = write(input.descriptor, input.bytes + input.begin, run);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno != EAGAIN) {
            close_input();
            send_frame('c', "", 0);
            return;
        }
        if (written <= 0)
            break;
        input.begin = (input.begin + (size_t)written) % INPUT_WINDOW;
        input.count -= (size_t)written;
        taken += (uint32_t)written;
    }
    if (taken > 0)
        send_number('a', taken);
    if (input.count == 0 && input.ended)
        close_input();
}

static void keep_input(const unsigned char *bytes, size_t count)
{
    add_to_tally(&tallies[INPUT], bytes, count);
    if (input.descriptor < 0)
        return;
    if (count > INPUT_WINDOW - input.count)
        fail("the caller sent more input than the window holds");
    for (size_t i = 0; i < count; i++)
        input.bytes[(input.begin + input.count + i) % INPUT_WINDOW] = (char)bytes[i];
    input.count += count;
}

// For programs here that measure time: they see none of it otherwise. Their environment names the file.
static void keep_lost_time(const unsigned char *payload, size_t count)
{
    uint64_t milliseconds = 0;
    for (size_t i = count; i > 0; i--)
        milliseconds = milliseconds << 8 | payload[i - 1];
    // Of one length, so that whoever reads at the same time finds a whole number.
    int descriptor = open(LOST_TIME, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    dprintf(descriptor, "%020llu\n", (unsigned long long)milliseconds);
    close(descriptor);
}

static void end_input(const unsigned char *sent, size_t count)
{
    unsigned char arrived[TALLY_SIZE];
    write_tally(arrived, &tallies[INPUT]);
    if (count != sizeof arrived || memcmp(sent, arrived, sizeof arrived) != 0)
        fail("standard input was damaged on its way to the host: %llu bytes arrived",
             (unsigned long long)tallies[INPUT].count);
    input.ended = 1;
}

static void handle_frame(char type, const unsigned char *payload, size_t count, struct streams *streams)
{
    int stream = type == 'O' ? 1 : 2;
    switch (type) {
    case 'i':
        keep_input(payload, count);
        break;
    case 'e':
        end_input(payload, count);
        break;
    case 'p':
        keep_lost_time(payload, count);
        break;
    case 'w':
        if (count == 4 && streams->master >= 0) {
            struct winsize size = {.ws_row = payload[0] | payload[1] << 8, .ws_col = payload[2] | payload[3] << 8};
            ioctl(streams->master, TIOCSWINSZ, &size);
        }
        break;
    case 'O':
    case 'R':
        // The command's next write there fails with EPIPE, as it would without a machine in between.
        if (streams->ours[stream] >= 0)
            close(streams->ours[stream]);
        streams->ours[stream] = -1;
        break;
    default:
        fail("unknown frame type %d", type);
    }
    if (input.descriptor >= 0)
        pass_input();
}

// Frames come in pieces of any size.
static void read_port(struct streams *streams)
{
    static unsigned char buffer[FRAME_HEADER + INPUT_WINDOW];
    static size_t held;
    ssize_t count = read(port, buffer + held, sizeof buffer - held);
    if (count <= 0)
        return;
    held += (size_t)count;
    size_t begin = 0;
    while (held - begin >= FRAME_HEADER) {
        const unsigned char *frame = buffer + begin;
        size_t length = frame[1] | frame[2] << 8 | frame[3] << 16 | (size_t)frame[4] << 24;
        if (length > INPUT_WINDOW)
            fail("a frame of %zu bytes", length);
        if (held - begin - FRAME_HEADER < length)
            break;
        handle_frame((char)frame[0], frame + FRAME_HEADER, length, streams);
        begin += FRAME_HEADER + length;
    }
    memmove(buffer, buffer + begin, held - begin);
    held -= begin;
}

enum forwarded { SOME, NOTHING_NOW, NEVER_AGAIN };

// Sends one frame of what the descriptor has now.
static enum forwarded forward(int descriptor, int stream)
{
    static const char types[STREAMS] = {[OUTPUT] = 'o', [ERROR] = 'r', [TERMINAL] = 't'};
    static unsigned char bytes[FRAME_LIMIT - FRAME_HEADER];
    ssize_t count;
    do
        count = read(descriptor, bytes, sizeof bytes);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EAGAIN)
        return NOTHING_NOW;
    // A terminal that nobody holds reports that so.
    if (count == 0 || (count < 0 && stream == TERMINAL && errno == EIO))
        return NEVER_AGAIN;
    if (count < 0)
        fail("cannot read what the command writes: %s", strerror(errno));
    add_to_tally(&tallies[stream], bytes, (size_t)count);
    send_frame(types[stream], bytes, (size_t)count);
    return SOME;
}

static enum forwarded forward_stream(struct streams *streams, int stream)
{
    if (streams->ours[stream] < 0)
        return NEVER_AGAIN;
    enum forwarded result = forward(streams->ours[stream], stream);
    if (result == NEVER_AGAIN) {
        close(streams->ours[stream]);
        streams->ours[stream] = -1;
    }
    return result;
}

// Collects every process that ended. Returns 1, and the status, if one of them was the command.
static int collect(pid_t command, int *status)
{
    int one, found = 0;
    pid_t ended;
    while ((ended = waitpid(-1, &one, WNOHANG)) > 0) {
        if (ended == command) {
            *status = one;
            found = 1;
        }
    }
    return found;
}

static int serve(pid_t command, struct streams *streams, int signals)
{
    int status = 0;
    for (;;) {
        struct pollfd waiting[] = {
            {.fd = port, .events = POLLIN},
            {.fd = signals, .events = POLLIN},
            {.fd = streams->ours[1], .events = POLLIN},
            {.fd = streams->ours[2], .events = POLLIN},
            {.fd = streams->master, .events = POLLIN},
            {.fd = input.descriptor, .events = input.count > 0 ? POLLOUT : 0},
        };
        if (poll(waiting, sizeof waiting / sizeof *waiting, -1) < 0)
            continue;
        if (waiting[2].revents)
            forward_stream(streams, 1);
        if (waiting[3].revents)
            forward_stream(streams, 2);
        if (waiting[4].revents & POLLIN)
            forward(streams->master, TERMINAL);
        if (waiting[1].revents) {
            struct signalfd_siginfo ignored;
            while (read(signals, &ignored, sizeof ignored) > 0)
                continue;
            if (collect(command, &status))
                return status;
        }
        if (waiting[0].revents & POLLIN)
            read_port(streams);
        else if (waiting[0].revents & POLLHUP)
            reboot(RB_POWER_OFF);
        if (input.descriptor < 0 || waiting[5].fd != input.descriptor)
            continue;
        // What there was room for when poll looked may have been passed on by a frame that came since. Only an error
        // says that the command has closed its end.
        if (input.count > 0 && waiting[5].revents) {
            pass_input();
        } else if (waiting[5].revents & POLLERR && !start.terminal[0]) {
            close_input();
            send_frame('c', "", 0);
        }
    }
}

// Whatever the command left running ends here: nothing else writes to the streams or holds a share from now on.
static void end_processes(void)
{
    kill(-1, SIGKILL);
    while (wait(NULL) > 0)
        continue;
}

// What was written before is in the pipes; the terminal's part may still be on its way through the kernel, and has all
// arrived when the terminal reports that nobody holds its other end.
static void drain(struct streams *streams)
{
    for (int stream = 1; stream <= 2; stream++)
        while (forward_stream(streams, stream) == SOME)
            continue;
    if (streams->master < 0)
        return;
    close(streams->slave);
    // The kernel's own thread brings it, however late that runs on a busy machine.
    for (int attempt = 0; attempt < TERMINAL_SECONDS * 1000; attempt++) {
        enum forwarded result = forward(streams->master, TERMINAL);
        if (result == NEVER_AGAIN)
            return;
        if (result == NOTHING_NOW)
            pause_milliseconds(1);
    }
    fail("the command's terminal did not come to its end within %d s", TERMINAL_SECONDS);
}

// Everything that was written to the shares has reached them when this returns.
static void unmount_shares(void)
{
    for (int i = start.share_count - 1; i >= 0; i--)
        umount2(start.shares[i][1], 0);
    // For a share that something is mounted on.
    sync();
}

int main(void)
{
    leave_first_mount();
    mount_kernel_file_systems();
    char problem[512] = "";
    load_modules(problem, sizeof problem);
    open_port();
    if (problem[0])
        fail("%s", problem);
    parse_start();
    raise_loopback();
    mount_shares();

    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    signal(SIGPIPE, SIG_IGN);
    int signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals < 0)
        fail("signalfd: %s", strerror(errno));

    struct streams streams = make_streams();
    send_frame('b', "", 0);
    pid_t command = fork();
    if (command < 0)
        fail("fork: %s", strerror(errno));
    if (command == 0) {
        signal(SIGPIPE, SIG_DFL);
        become_command(&streams);
    }
    for (int i = 0; i < 3; i++)
        if (streams.command[i] != streams.slave)
            close(streams.command[i]);
    input.descriptor = start.terminal[0] ? streams.master : streams.ours[0];
    streams.ours[0] = -1;

    int status = serve(command, &streams, signals);
    end_processes();
    drain(&streams);
    unmount_shares();
    send_end(status);
    for (;;)
        pause();
}
