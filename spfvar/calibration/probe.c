/*
 * What `spfvar calibrate` measures of a host: one thing per run.
 *
 *     probe TEST MS SAMPLES CPU [CPU...]
 *
 * prints one line per sample, of MS milliseconds each: numbers with spaces between.  A thread runs on each CPU
 * named, pinned to it.  Times are in ns, rates per second.  MIT licence, as all of spfvar.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 4096, PAGE = 4096, LINE = 128, REGION = 2 << 20, CHUNK = 8 << 20, BUFFER = 64 << 20, SCRATCH = 64 << 10, ROUNDS = 256 };

static int cpus[MAX], threads;
static double sample_ns;
static _Atomic int ready, go, stop;
static struct { _Alignas(LINE) _Atomic long count; double from; double took[ROUNDS]; } of[MAX];
static void *(*work)(void *);
static char *shared;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		fail("sched_setaffinity");
}

static void *map(size_t size, int flags, int fd)
{
	void *p = mmap(0, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (p == MAP_FAILED)
		fail("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

static void *anonymous(size_t size)
{
	return map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void touch(char *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		*(volatile char *)(p + i) = 1;
}

static void begin(long me)
{
	pin(cpus[me]);
	atomic_fetch_add(&ready, 1);
	while (!atomic_load(&go))
		;
}

static void *run(void *arg)
{
	begin((long)arg);
	return work(arg);
}

/* One thread per CPU until the sample is over (ns > 0), or until all have returned. */
static double together(void *(*what)(void *), double ns)
{
	pthread_t id[MAX];
	work = what;
	ready = go = stop = 0;
	for (long i = 0; i < threads; i++) {
		of[i].count = 0;
		if (pthread_create(&id[i], 0, run, (void *)i))
			fail("pthread_create");
	}
	while (atomic_load(&ready) < threads)
		usleep(100);
	double from = now();
	go = 1;
	if (ns > 0) {
		usleep(ns / 1000);
		stop = 1;
	}
	double to = now();
	for (int i = 0; i < threads; i++)
		pthread_join(id[i], 0);
	return ns > 0 ? to - from : now() - from;
}

/* A thread's round is over, and the next begins. */
static void rounded(long me)
{
	double to = now();
	of[me].took[of[me].count++ % ROUNDS] = to - of[me].from;
	of[me].from = to;
}

static int by_size(const void *a, const void *b)
{
	return (*(double *)a > *(double *)b) - (*(double *)a < *(double *)b);
}

/* Pages per second by a thread's median round: in some of the others something else ran. */
static double usual(long me, long pages)
{
	long n = of[me].count < ROUNDS ? of[me].count : ROUNDS;
	if (!n)
		return 0;
	qsort(of[me].took, n, sizeof(double), by_size);
	return pages / of[me].took[n / 2] * 1e9;
}

static double counted(double ns)
{
	long sum = 0;
	for (int i = 0; i < threads; i++)
		sum += of[i].count;
	return sum / ns * 1e9;
}

/* --- faults ---------------------------------------------------------------------------------------- */

static void *touch_chunk(void *arg)
{
	long me = (long)arg;
	of[me].from = now();
	for (char *p = shared + me * CHUNK; p < shared + (me + 1) * CHUNK; p += REGION) {
		touch(p, REGION);
		rounded(me);
	}
	return 0;
}

static double fault_shared_vma(void)	/* one VMA for all, each page once: pft */
{
	shared = anonymous((size_t)threads * CHUNK);
	together(touch_chunk, 0);
	munmap(shared, (size_t)threads * CHUNK);
	double sum = 0;
	for (int i = 0; i < threads; i++)
		sum += usual(i, REGION / PAGE);
	return sum;
}

static int map_flags;	/* 0: anonymous; or of a file */

static void *map_touch_unmap(void *arg)
{
	long me = (long)arg;
	int fd = -1;
	if (map_flags) {
		fd = memfd_create("probe", 0);
		if (fd < 0 || ftruncate(fd, REGION))
			fail("memfd_create");
		char *p = map(REGION, map_flags, fd);	/* its pages are cached from here on */
		for (size_t i = 0; i < REGION; i += PAGE)
			if (map_flags == MAP_SHARED)
				*(volatile char *)(p + i) = 1;
		munmap(p, REGION);
		if (map_flags == MAP_PRIVATE && fallocate(fd, 0, 0, REGION))
			fail("fallocate");
	}
	of[me].from = now();
	do {
		char *p = map_flags ? map(REGION, map_flags, fd) : anonymous(REGION);
		touch(p, REGION);
		munmap(p, REGION);
		rounded(me);
	} while (!atomic_load_explicit(&stop, memory_order_relaxed));
	if (fd >= 0)
		close(fd);
	return 0;
}

static void *churn(void *arg)	/* the last one maps, touches and unmaps; the others fault in mappings of their own */
{
	long me = (long)arg;
	char *own = me + 1 < threads ? anonymous(CHUNK) : 0;
	of[me].from = now();
	do {
		if (own) {
			touch(own, REGION);
			madvise(own, REGION, MADV_DONTNEED);
			rounded(me);
			continue;
		}
		char *p = anonymous(SCRATCH);
		touch(p, SCRATCH);
		munmap(p, SCRATCH);
		for (double until = now() + 1000; now() < until;)
			;
		rounded(me);
	} while (!atomic_load_explicit(&stop, memory_order_relaxed));
	if (own)
		munmap(own, CHUNK);
	return 0;
}

/* --- the machine ----------------------------------------------------------------------------------- */

static _Alignas(LINE) _Atomic int ball;

static void *ping(void *arg)
{
	int me = (long)arg;
	long turns = 0;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		int seen = 1 - me;
		if (atomic_load_explicit(&ball, memory_order_relaxed) == me) {
			seen = me;
			if (atomic_compare_exchange_strong(&ball, &seen, 1 - me))
				turns++;
		}
	}
	of[me].count = turns;
	return 0;
}

static volatile uint64_t sink;

static void *spin(void *arg)
{
	long me = (long)arg, n = 0;
	uint64_t x = 1;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		for (int i = 0; i < 1000; i++)
			x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		n++;
	}
	sink = x;
	of[me].count = n;
	return 0;
}

static char *buffers[MAX];

static void *fill(void *arg)
{
	long me = (long)arg, n = 0;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		memset(buffers[me] + n % (BUFFER / PAGE) * PAGE, (int)n, PAGE);
		n++;
	}
	of[me].count = n;
	return 0;
}

static void *copy(void *arg)
{
	long me = (long)arg, n = 0, half = BUFFER / 2 / PAGE;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		memcpy(buffers[me] + n % half * PAGE, buffers[me] + (n % half + half) * PAGE, PAGE);
		n++;
	}
	of[me].count = n;
	return 0;
}

static void *calls(void *arg)
{
	long me = (long)arg, n = 0;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		for (int i = 0; i < 100; i++)
			syscall(SYS_getppid);
		n += 100;
	}
	of[me].count = n;
	return 0;
}

static void *adds(void *arg)
{
	long me = (long)arg, n = 0;
	static _Alignas(LINE) _Atomic long own;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		for (int i = 0; i < 100; i++)
			atomic_fetch_add(&own, 1);
		n += 100;
	}
	of[me].count = n;
	return 0;
}

static void *flush(void *arg)	/* the first one changes a mapping's protection, the others run in its mm */
{
	long me = (long)arg, n = 0;
	if (me)
		return spin(arg);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		*(volatile char *)shared = 1;
		mprotect(shared, PAGE, PROT_READ);
		mprotect(shared, PAGE, PROT_READ | PROT_WRITE);
		n++;
	}
	of[me].count = n;
	return 0;
}

static _Atomic int word, waiting;
static double woken_at;

static void futex(int op, int value)
{
	syscall(SYS_futex, &word, op | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

static void *sleeper(void *arg)
{
	(void)arg;
	int seen = 0;
	for (;;) {
		waiting = 1;
		while (word == seen)
			futex(FUTEX_WAIT, seen);
		woken_at = now();
		waiting = 2;
		seen = word;
		if (seen < 0)
			return 0;
	}
}

static void wake_ups(int samples)
{
	pthread_t id;
	cpus[threads] = cpus[0];
	pin(cpus[1]);
	if (pthread_create(&id, 0, sleeper, 0))
		fail("pthread_create");
	pin(cpus[0]);
	for (int i = 0; i < samples; i++) {
		while (waiting != 1)
			;
		usleep(200);	/* until it sleeps */
		waiting = 0;
		double from = now();
		word++;
		futex(FUTEX_WAKE, 1);
		double to = now();
		while (waiting == 0)
			;
		printf("%.1f %.1f\n", to - from, woken_at - from);
		fflush(stdout);
	}
	while (waiting != 1)
		;
	word = -1;
	futex(FUTEX_WAKE, 1);
	pthread_join(id, 0);
}

static int pipes[2][2];

static void *pass(void *arg)	/* two threads of one CPU hand a byte to and fro */
{
	long me = (long)arg, n = 0;
	char byte = 0;
	if (!me && write(pipes[0][1], &byte, 1) != 1)
		fail("write");
	while (read(pipes[!me][0], &byte, 1) == 1) {
		n++;
		if (byte || atomic_load_explicit(&stop, memory_order_relaxed)) {
			byte = 1;	/* the other one ends, too */
			if (write(pipes[me][1], &byte, 1) != 1)
				fail("write");
			break;
		}
		if (write(pipes[me][1], &byte, 1) != 1)
			fail("write");
	}
	of[me].count = n;
	return 0;
}

static double handed_over(void)
{
	if (pipe(pipes[0]) || pipe(pipes[1]))
		fail("pipe");
	double ns = together(pass, sample_ns);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
	return ns / (of[0].count + of[1].count);
}

/* --- which ------------------------------------------------------------------------------------------ */

static double each(void *(*what)(void *))	/* ns of one, of one thread */
{
	double ns = together(what, sample_ns);
	return ns / of[0].count;
}

static double in_rounds(void *(*what)(void *))
{
	double sum = 0;
	together(what, sample_ns);
	for (int i = 0; i < threads; i++) {
		double rate = usual(i, what == churn && i + 1 == threads ? SCRATCH / PAGE : REGION / PAGE);
		if (!rate)
			return 0;
		sum += rate;
	}
	return sum;
}

static double rate(void *(*what)(void *))
{
	return counted(together(what, sample_ns));
}

static double measure(const char *test)
{
	if (!strcmp(test, "pft"))
		return fault_shared_vma();
	map_flags = !strcmp(test, "page-fault2") ? MAP_PRIVATE : !strcmp(test, "page-fault3") ? MAP_SHARED : 0;
	if (!strncmp(test, "page-fault", 10))
		return in_rounds(map_touch_unmap);
	if (!strcmp(test, "mmap-churn"))
		return in_rounds(churn);
	if (!strcmp(test, "line")) {
		ball = 0;
		double ns = together(ping, sample_ns);
		return ns / (of[0].count + of[1].count);
	}
	if (!strcmp(test, "syscall"))
		return each(calls);
	if (!strcmp(test, "atomic"))
		return each(adds);
	if (!strcmp(test, "zero"))
		return each(fill);
	if (!strcmp(test, "copy"))
		return each(copy);
	if (!strcmp(test, "bandwidth"))
		return rate(fill) * PAGE / 1e9;
	if (!strcmp(test, "speed"))
		return rate(spin) / threads;
	if (!strcmp(test, "flush"))
		return each(flush);
	if (!strcmp(test, "switch"))
		return handed_over();
	fprintf(stderr, "no test %s\n", test);
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "probe TEST MS SAMPLES CPU [CPU...]\n");
		return 2;
	}
	sample_ns = atof(argv[2]) * 1e6;
	int samples = atoi(argv[3]);
	for (threads = 0; threads < argc - 4 && threads < MAX - 1; threads++)
		cpus[threads] = atoi(argv[4 + threads]);
	if (!strcmp(argv[1], "futex")) {
		wake_ups(samples);
		return 0;
	}
	shared = anonymous(PAGE);
	int memory = !strcmp(argv[1], "zero") || !strcmp(argv[1], "copy") || !strcmp(argv[1], "bandwidth");
	for (int i = 0; i < threads && memory; i++) {
		buffers[i] = anonymous(BUFFER);
		memset(buffers[i], 1, BUFFER);
	}
	/* A sample in which the host has let nobody run is none. */
	for (int i = 0, lost = 0; i < samples && lost < 100;) {
		double found = measure(argv[1]);
		if (!(found > 0 && found < 1e15)) {
			lost++;
			continue;
		}
		printf("%.6g\n", found);
		fflush(stdout);
		i++;
	}
	return 0;
}
