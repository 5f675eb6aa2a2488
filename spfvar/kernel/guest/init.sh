#!/bin/busybox sh
# The first process of the recorded kernel: modules, a disk to write to, the tracer, and off.
/bin/busybox mkdir -p /proc /sys /dev /tmp /disk /run
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
exec < /dev/console > /dev/console 2>&1
/bin/busybox --install -s /bin
export PATH=/bin
mount -t tracefs trace /sys/kernel/tracing
mount -t debugfs debug /sys/kernel/debug
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
while read -r module; do insmod /modules/$module; done < /modules/order
mount -t ext4 /dev/vda /disk || mount -t tmpfs disk /disk
echo 0 > /proc/sys/kernel/numa_balancing
mkswap /dev/vdb > /dev/null && swapon /dev/vdb
echo "BOOTED $(cut -d' ' -f1 /proc/uptime)"
cd /tmp
sh /tracer.sh /provoke /disk @ITERATIONS@ > recording 2> said
echo "RECORDED $? $(cut -d' ' -f1 /proc/uptime)"
tar c recording said | dd of=/dev/vdc bs=64k 2> /dev/null
sync
poweroff -f
