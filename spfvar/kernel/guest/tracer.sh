#!/bin/sh
# Records what spfvar conform reads: the function_graph tracer, with probes on the primitives of locking.
#
#     sh tracer.sh COMMAND [ARGUMENT]... > recording
#
# Needs root, a kernel with FUNCTION_GRAPH_TRACER and KPROBE_EVENTS, and nobody else who traces.  Of COMMAND and its
# children only; marks "BEGIN kind" and "END kind" that they write to trace_marker are kept.
T=/sys/kernel/tracing
[ -e $T/trace ] || mount -t tracefs nodev $T 2>/dev/null
[ -e $T/trace ] || T=/sys/kernel/debug/tracing
cd $T || exit 1
[ -e trace ] || { echo "no tracefs at $T" >&2; exit 1; }
FUNCTIONS="@FUNCTIONS@"
PROBES="@PROBES@"

stop() {
	echo 0 > tracing_on
	echo nop > current_tracer
	echo > set_ftrace_filter
	echo > set_ftrace_pid
	echo > set_event_pid
	echo 0 > events/enable
	echo > kprobe_events
} 2>/dev/null
stop
for probe in $PROBES; do
	case $probe in
	ret_*) echo "r:spfvar/$probe ${probe#ret_} ret=\$retval:u32" ;;
	*rcu_read*) echo "p:spfvar/$probe $probe by=\$stack0:symbol" ;;
	*) echo "p:spfvar/$probe $probe lock=%di by=\$stack0:symbol" ;;
	esac >> kprobe_events || echo "no probe $probe" >&2
done
echo $FUNCTIONS | tr ' ' '\n' | awk 'NR == FNR { asked[$1]; next } $1 in asked { print $1 }' \
	- available_filter_functions > set_ftrace_filter
echo function_graph > current_tracer
for option in funcgraph-duration=0 funcgraph-overhead=0 funcgraph-irqs=0 funcgraph-proc=1 funcgraph-tail=1 \
	function-fork=1 event-fork=1 hash-ptr=0; do
	echo ${option#*=} > options/${option%=*}
done
echo ${BUFFER_KB:-32768} > buffer_size_kb
echo > trace
for event in events/spfvar events/exceptions/page_fault_user events/exceptions/page_fault_kernel events/mmap_lock; do
	[ -e $event/enable ] && echo 1 > $event/enable
done
OLD=$OLDPWD
(
	read -r self rest < /proc/self/stat
	echo $self > set_ftrace_pid
	echo $self > set_event_pid
	echo 1 > tracing_on
	cd "$OLD" && exec "$@"
) >&2
code=$?
echo 0 > tracing_on
cat trace
stop
exit $code
