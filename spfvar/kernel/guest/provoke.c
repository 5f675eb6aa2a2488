/*
 * Provokes every kind of page fault, and the calls that change address spaces, each between two marks in the
 * tracer's buffer:  provoke DIRECTORY [ITERATIONS]
 *
 * DIRECTORY is on a file system with storage; files are made there and on /dev/shm if it is a directory.  ITERATIONS
 * are those of the races of two threads.  What a kernel does not allow is left out, and said on stderr.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define BIND 2 /* MPOL_BIND */
#define PAGE 4096UL
#define TABLE (2UL << 20)

static int marker = -1, tracing = -1;
static sigjmp_buf after_signal;

static void mark(const char *format, ...)
{
	char text[128];
	va_list values;
	int length;

	va_start(values, format);
	length = vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	if (marker >= 0 && write(marker, text, length) < 0)
		perror("trace_marker");
}

/* What prepares a fault is nobody's business, and fills the buffer. */
static void record(int on)
{
	if (tracing >= 0 && write(tracing, on ? "1" : "0", 1) < 0)
		perror("tracing_on");
}

static void failed(const char *what)
{
	fprintf(stderr, "left out: %s: %s\n", what, strerror(errno));
}

static void caught(int signal)
{
	siglongjmp(after_signal, signal);
}

/* One access, marked; what it ends with does not matter. */
static void fault(const char *prefix, const char *kind, volatile char *at, int write_it)
{
	mark("BEGIN %s%s %p", prefix, kind, at);
	if (!sigsetjmp(after_signal, 1)) {
		if (write_it)
			*at = 1;
		else
			(void)*at;
	}
	mark("END %s%s", prefix, kind);
}

/* Room that nobody else has, from the begin of a page table on, with a gap on either side. */
static char *room(unsigned long bytes, int flags, int fd, int protection)
{
	char *place = mmap(NULL, bytes + 3 * TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *start = (char *)(((unsigned long)place + 2 * TABLE - 1) & ~(TABLE - 1));

	if (place == MAP_FAILED || munmap(place, bytes + 3 * TABLE) ||
	    mmap(start, bytes, protection, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	madvise(start, bytes, MADV_NOHUGEPAGE);
	return start;
}

static char *anonymous(unsigned long bytes)
{
	return room(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, PROT_READ | PROT_WRITE);
}

static void anonymous_faults(void)
{
	char *map = anonymous(2 * TABLE);
	char *other;
	pid_t child;

	fault("", "anon-read-no-table", map, 0);
	fault("", "anon-read", map + PAGE, 0);
	fault("", "anon-wp-zero-no-anon-vma", map, 1);
	fault("", "anon-wp-zero", map + PAGE, 1);
	fault("", "anon-write-no-table", map + TABLE, 1);
	fault("", "anon-write", map + TABLE + PAGE, 1);
	other = anonymous(TABLE);
	fault("", "anon-write-first-of-vma", other, 1);

	child = fork();
	if (!child) {
		fault("", "anon-wp-copy", map + TABLE, 1);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	fault("", "anon-wp-reuse", map + TABLE, 1);

	mprotect(map + TABLE, PAGE, PROT_READ);
	fault("", "anon-access-error", map + TABLE, 1);
	mprotect(map + TABLE, PAGE, PROT_READ | PROT_WRITE);
	fault("", "anon-after-mprotect", map + TABLE, 1);
	munmap(other, TABLE);
	fault("", "no-vma", other, 0);
	munmap(map, 2 * TABLE);
}

static void __attribute__((noinline)) grow_stack(void)
{
	volatile char *below = (char *)__builtin_frame_address(0) - (600 << 10);

	fault("", "stack-growth", (char *)((unsigned long)below & ~(PAGE - 1)), 1);
}

static void kernel_mode_faults(int fd, int other)
{
	char *map = anonymous(TABLE);
	char *file = room(TABLE, MAP_PRIVATE, other, PROT_READ | PROT_WRITE);

	map[0] = 1;
	mark("BEGIN kernel-anon-write %p", map + PAGE);
	if (pread(fd, map + PAGE, 16, 0) < 0)
		failed("read");
	mark("END kernel-anon-write");
	mark("BEGIN kernel-anon-read %p", map + 2 * PAGE);
	if (pwrite(fd, map + 2 * PAGE, 16, 0) < 0)
		failed("write");
	mark("END kernel-anon-read");
	mark("BEGIN kernel-file-read %p", file);
	if (pwrite(fd, file, 16, 0) < 0)
		failed("write");
	mark("END kernel-file-read");
	mark("BEGIN kernel-file-cow %p", file + 64 * PAGE);
	if (pread(fd, file + 64 * PAGE, 16, 0) < 0)
		failed("read");
	mark("END kernel-file-cow");
	munmap(file, TABLE);
	munmap(map, TABLE);
}

/* 0: it could be written. */
static int set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	int done = fd >= 0 && write(fd, value, strlen(value)) >= 0;

	if (!done)
		failed(path);
	if (fd >= 0)
		close(fd);
	return !done;
}

static void policy_faults(void)
{
	char *map = anonymous(TABLE);
	unsigned long nodes = 1;

	if (syscall(SYS_mbind, map, TABLE, BIND, &nodes, 8 * sizeof(nodes), 0))
		failed("mbind");
	else {
		fault("", "policy-write-no-table", map, 1);
		fault("", "policy-write", map + PAGE, 1);
	}
	munmap(map, TABLE);
}

/* The vdso is a driver's mapping, as far as faults are concerned; a child has to map its pages anew. */
static void special_faults(void)
{
	char *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	pid_t child;

	if (!vdso) {
		errno = ENOENT;
		failed("vdso");
		return;
	}
	child = fork();
	if (!child) {
		fault("", "special-read", vdso, 0);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void huge_pages(void)
{
	char *map = anonymous(2 * TABLE);
	pid_t child;

	if (set("/sys/kernel/mm/transparent_hugepage/enabled", "madvise"))
		return;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	madvise(map, TABLE, MADV_HUGEPAGE);
	map[0] = 1;
	child = fork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	fault("", "huge-write", map + 8 * PAGE, 1);
	map[TABLE] = 1;
	madvise(map + TABLE, TABLE, MADV_HUGEPAGE);
	mark("BEGIN sys-collapse %p", map + TABLE);
	if (madvise(map + TABLE, TABLE, MADV_COLLAPSE))
		failed("MADV_COLLAPSE");
	mark("END sys-collapse");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	munmap(map, 2 * TABLE);
}

static long faults_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static void *idle(void *data)
{
	pause();
	return data;
}

/*
 * The scheduler makes entries inaccessible now and then, to see who uses which pages; not those of a single thread
 * on the node that it runs on.
 */
static void numa_hints(const char *kind, int write_it)
{
	volatile char *map = anonymous(TABLE);
	struct timeval start, now;
	long before, last = 0, done = 0;
	unsigned long nearest = 1, others = 2;
	cpu_set_t first, old;
	pthread_t thread;
	int page;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_getaffinity(0, sizeof(old), &old);
	sched_setaffinity(0, sizeof(first), &first);
	pthread_create(&thread, NULL, idle, NULL);
	for (page = 0; page < 64; page++)
		map[page * PAGE] = 1;
	gettimeofday(&start, NULL);
	/* What else the process has may lie elsewhere, and would come nearer. */
	if (syscall(SYS_migrate_pages, 0, 64, &others, &nearest) < 0)
		failed("migrate_pages");
	before = faults_so_far();
	mark("BEGIN %s %p", kind, map);
	do {
		for (page = 0; page < 64; page++)
			if (write_it)
				map[page * PAGE] = 1;
			else
				(void)map[page * PAGE];
		gettimeofday(&now, NULL);
		if (now.tv_usec / 100000 != last) { /* seldom, for it is recorded, too */
			last = now.tv_usec / 100000;
			done = faults_so_far() - before;
		}
	} while (now.tv_sec < start.tv_sec + 5 && done < 8);
	mark("END %s", kind);
	if (!done) {
		errno = ETIME;
		failed(kind);
	}
	sched_setaffinity(0, sizeof(old), &old);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	munmap((char *)map, TABLE);
}

static void numa_faults(void)
{
	if (set("/proc/sys/kernel/numa_balancing", "1"))
		return;
	set("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms", "10");
	set("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms", "20");
	set("/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms", "50");
	numa_hints("numa-read", 0);
	numa_hints("numa-write", 1);
	set("/proc/sys/kernel/numa_balancing", "0");
}

static int make_file(const char *directory, const char *name, unsigned long bytes)
{
	char path[256];
	char page[PAGE];
	unsigned long done;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0) {
		failed(path);
		return -1;
	}
	memset(page, 7, sizeof(page));
	record(0);
	for (done = 0; done < bytes; done += PAGE)
		if (write(fd, page, PAGE) < 0) {
			failed(path);
			close(fd);
			fd = -1;
			break;
		}
	if (fd >= 0)
		fsync(fd);
	record(1);
	return fd;
}

static void around(const char *bytes)
{
	int fd = open("/sys/kernel/debug/fault_around_bytes", O_WRONLY);

	if (fd < 0 || write(fd, bytes, strlen(bytes)) < 0)
		failed("fault_around_bytes");
	if (fd >= 0)
		close(fd);
}

static void file_faults(const char *prefix, const char *directory)
{
	unsigned long bytes = TABLE + TABLE / 2;
	int fd = make_file(directory, "mapped", bytes);
	char *map;

	if (fd < 0)
		return;
	map = room(2 * TABLE, MAP_PRIVATE, fd, PROT_READ | PROT_WRITE);
	fault(prefix, "read-around-no-table", map + 20 * PAGE, 0);
	fault(prefix, "read-around", map + 80 * PAGE, 0);
	fault(prefix, "wp-cow-no-anon-vma", map + 20 * PAGE, 1);
	fault(prefix, "wp-cow", map + 80 * PAGE, 1);
	fault(prefix, "cow-no-table", map + TABLE, 1);
	fault(prefix, "cow", map + 160 * PAGE, 1);
	fault(prefix, "beyond-eof", map + bytes + 8 * PAGE, 0);
	munmap(map, 2 * TABLE);

	map = room(TABLE, MAP_PRIVATE, fd, PROT_READ | PROT_WRITE);
	fault(prefix, "cow-first-of-vma", map + 8 * PAGE, 1);
	munmap(map, TABLE);

	around("4096");
	map = room(TABLE, MAP_PRIVATE, fd, PROT_READ | PROT_WRITE);
	fault(prefix, "read-no-table", map, 0);
	fault(prefix, "read", map + PAGE, 0);
	munmap(map, TABLE);
	map = room(TABLE, MAP_SHARED, fd, PROT_READ | PROT_WRITE);
	fault(prefix, "shared-write-no-table", map, 1);
	fault(prefix, "shared-write", map + PAGE, 1);
	fault(prefix, "shared-read", map + 2 * PAGE, 0);
	fault(prefix, "shared-write-after-read", map + 2 * PAGE, 1);
	munmap(map, TABLE);
	around("65536");
	close(fd);
}

/* Pages that the page cache has lost again: they are read for the fault. */
static void missing_pages(const char *directory)
{
	int fd = make_file(directory, "missing", TABLE);
	char *map;

	if (fd < 0)
		return;
	map = room(TABLE, MAP_PRIVATE, fd, PROT_READ | PROT_WRITE);
	madvise(map, TABLE, MADV_RANDOM);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	fault("", "file-read-io", map + 8 * PAGE, 0);
	fault("", "file-cow-io", map + 16 * PAGE, 1);
	madvise(map, TABLE, MADV_NORMAL);
	fault("", "file-read-ahead", map + 128 * PAGE, 0);
	munmap(map, TABLE);
	map = room(TABLE, MAP_SHARED, fd, PROT_READ | PROT_WRITE);
	madvise(map, TABLE, MADV_RANDOM);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	fault("", "file-shared-io", map + 24 * PAGE, 1);
	munmap(map, TABLE);
	close(fd);
}

/* Pages that were reclaimed to swap, if there is any. */
static void swapped_pages(void)
{
	char *map = anonymous(TABLE);
	int page;

	for (page = 0; page < 8; page++)
		map[page * PAGE] = 1;
	mark("BEGIN sys-pageout %p", map);
	if (madvise(map, 8 * PAGE, MADV_PAGEOUT))
		failed("MADV_PAGEOUT");
	mark("END sys-pageout");
	fault("", "swap-read", map, 0);
	fault("", "swap-cache-read", map + PAGE, 0);
	fault("", "swap-cache-write", map + 2 * PAGE, 1);
	fault("", "swap-write", map + 4 * PAGE, 1);
	munmap(map, TABLE);
}

static void *monitor(void *data)
{
	static char page[PAGE] __attribute__((aligned(4096)));
	struct uffd_msg message;
	int fd = *(int *)data;

	while (read(fd, &message, sizeof(message)) == sizeof(message)) {
		unsigned long at = message.arg.pagefault.address & ~(PAGE - 1);

		if (message.event != UFFD_EVENT_PAGEFAULT)
			continue;
		if (message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
			struct uffdio_writeprotect protect = {.range = {.start = at, .len = PAGE}};

			mark("BEGIN sys-uffd-unprotect %lx", at);
			ioctl(fd, UFFDIO_WRITEPROTECT, &protect);
			mark("END sys-uffd-unprotect");
		} else {
			struct uffdio_copy copy = {.dst = at, .src = (unsigned long)page, .len = PAGE};

			mark("BEGIN sys-uffd-copy %lx", at);
			ioctl(fd, UFFDIO_COPY, &copy);
			mark("END sys-uffd-copy");
		}
	}
	return NULL;
}

/* v6.8 and later: a page moves from one place to another. */
static void move_page(int fd, char *map)
{
	struct {
		unsigned long long dst, src, len, mode;
		long long move;
	} move = {(unsigned long)map + 8 * PAGE, (unsigned long)map + 512 * PAGE, PAGE, 0, 0};

	*(volatile char *)move.src = 1;
	mark("BEGIN sys-uffd-move %llx", move.dst);
	if (ioctl(fd, _IOWR(UFFDIO, 5, move), &move))
		failed("UFFDIO_MOVE");
	mark("END sys-uffd-move");
}

static void userfaults(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP};
	struct uffdio_writeprotect protect = {.mode = UFFDIO_WRITEPROTECT_MODE_WP};
	static int fd;
	pthread_t thread;
	char *map;

	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	api.features |= 1 << 16; /* UFFD_FEATURE_MOVE */
	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = syscall(SYS_userfaultfd, O_CLOEXEC);
		api = (struct uffdio_api){.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
		if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0) {
		failed("userfaultfd");
		return;
	}
	map = anonymous(2 * TABLE);
	range.range.start = protect.range.start = (unsigned long)map;
	range.range.len = TABLE;
	protect.range.len = PAGE;
	mark("BEGIN sys-uffd-register %p", map);
	if (ioctl(fd, UFFDIO_REGISTER, &range))
		failed("UFFDIO_REGISTER");
	mark("END sys-uffd-register");
	pthread_create(&thread, NULL, monitor, &fd);
	fault("", "userfault-no-table", map, 1);
	fault("", "userfault", map + PAGE, 1);
	mark("BEGIN sys-uffd-protect %p", map);
	if (ioctl(fd, UFFDIO_WRITEPROTECT, &protect))
		failed("UFFDIO_WRITEPROTECT");
	mark("END sys-uffd-protect");
	fault("", "userfault-wp", map, 1);
	move_page(fd, map);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	close(fd);
	munmap(map, 2 * TABLE);
}

#define CALL(kind, at, call)                                                                                     \
	do {                                                                                                     \
		mark("BEGIN sys-" kind " %p", at);                                                               \
		if ((long)(call) == -1)                                                                          \
			failed(kind);                                                                            \
		mark("END sys-" kind);                                                                           \
	} while (0)

static void touch(char *map, int pages)
{
	int page;

	for (page = 0; page < pages; page++)
		((volatile char *)map)[page * PAGE] = 1;
}

static void writers(const char *directory)
{
	char *map = anonymous(2 * TABLE);
	char *to = anonymous(TABLE);
	char *heap;
	pid_t child;
	int fd;

	touch(map, 16);
	touch(map + TABLE, 2);
	munmap(to, TABLE);
	CALL("mmap", to, mmap(to, TABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	touch(to, 4);
	CALL("mmap-over", to,
	     mmap(to, TABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	touch(to, 4);
	CALL("madvise", to, madvise(to, 4 * PAGE, MADV_DONTNEED));
	touch(to, 4);
	CALL("mprotect", to, mprotect(to, TABLE, PROT_READ));
	mprotect(to, TABLE, PROT_READ | PROT_WRITE);
	CALL("mprotect-split", to, mprotect(to, 2 * PAGE, PROT_READ));
	CALL("mprotect-merge", to, mprotect(to, 2 * PAGE, PROT_READ | PROT_WRITE));
	CALL("munmap", to, munmap(to, TABLE));
	CALL("mremap", map, mremap(map, TABLE, TABLE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	CALL("munmap-part", to, munmap(to + 2 * PAGE, 2 * PAGE));

	mark("BEGIN sys-fork 0");
	child = fork();
	if (!child) {
		mark("END sys-fork");
		mark("BEGIN sys-exit 0");
		_exit(0);
	}
	mark("END sys-fork");
	waitpid(child, NULL, 0);
	munmap(to, TABLE);
	munmap(map + TABLE, TABLE);

	heap = sbrk(0);
	CALL("brk-grow", heap, brk(heap + 64 * PAGE));
	touch((char *)(((unsigned long)heap + PAGE - 1) & ~(PAGE - 1)), 8);
	CALL("brk-shrink", heap, brk(heap));

	fd = make_file(directory, "cut", 64 * PAGE);
	if (fd >= 0) {
		map = room(TABLE, MAP_SHARED, fd, PROT_READ | PROT_WRITE);
		touch(map, 64);
		CALL("punch", map, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * PAGE, 8 * PAGE));
		CALL("truncate", map, ftruncate(fd, 16 * PAGE));
		munmap(map, TABLE);
		close(fd);
	}
}

/* Two threads on two CPUs: one writes to pages, the other takes them away. */
struct race {
	char *map;
	int iterations;
	volatile int done;
};

static void *faulter(void *data)
{
	struct race *race = data;
	volatile int i;

	mark("BEGIN race 0");
	for (i = 0; i < race->iterations; i++) {
		volatile char *at = race->map + i % 32 * PAGE;

		if (sigsetjmp(after_signal, 1))
			continue;
		if (i % 32 == 0)
			madvise(race->map, 32 * PAGE, MADV_DONTNEED);
		if (i % 3)
			*at = 1;
		else
			(void)*at;
	}
	mark("END race");
	race->done = 1;
	return NULL;
}

static void *changer(void *data)
{
	struct race *race = data;
	int i;

	for (i = 0; !race->done; i++) {
		madvise(race->map + i % 4 * 8 * PAGE, 8 * PAGE, MADV_DONTNEED);
		if (i % 4 == 1)
			mprotect(race->map + 4 * PAGE, 4 * PAGE, i % 8 == 1 ? PROT_READ : PROT_READ | PROT_WRITE);
		if (i % 16 == 3)
			mmap(race->map, 32 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	return NULL;
}

static void races(int iterations)
{
	struct race race = {anonymous(TABLE), iterations, 0};
	pthread_t one, two;

	pthread_create(&two, NULL, changer, &race);
	pthread_create(&one, NULL, faulter, &race);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	munmap(race.map, TABLE);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = caught};
	struct stat shm;
	int fd, other;

	if (argc < 2) {
		fprintf(stderr, "usage: provoke DIRECTORY [ITERATIONS]\n");
		return 2;
	}
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	marker = open("/sys/kernel/tracing/trace_marker", O_WRONLY);
	tracing = open("/sys/kernel/tracing/tracing_on", O_WRONLY);
	if (marker < 0) {
		marker = open("/sys/kernel/debug/tracing/trace_marker", O_WRONLY);
		tracing = open("/sys/kernel/debug/tracing/tracing_on", O_WRONLY);
	}
	if (marker < 0)
		failed("trace_marker");
	anonymous_faults();
	grow_stack();
	file_faults("file-", argv[1]);
	if (!stat("/dev/shm", &shm) && S_ISDIR(shm.st_mode))
		file_faults("shmem-", "/dev/shm");
	missing_pages(argv[1]);
	fd = make_file(argv[1], "small", PAGE);
	other = make_file(argv[1], "other", TABLE);
	if (fd >= 0 && other >= 0)
		kernel_mode_faults(fd, other);
	policy_faults();
	special_faults();
	huge_pages();
	swapped_pages();
	userfaults();
	writers(argv[1]);
	numa_faults();
	races(argc > 2 ? atoi(argv[2]) : 0);
	return 0;
}
