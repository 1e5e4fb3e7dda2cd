# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The benchmarks of a guest: what dma_map and dma_unmap take, and how fast the
# disk is. Reports a "fact NAME VALUE" for each of them.
#
# FIGURES, from the kernel's command line, names them with commas in between.

disk=/dev/nvme0n1

# The edu device serves as the one that kernel/dma/map_benchmark.c maps for.
bind_map_benchmark()
{
	local edu

	for edu in /sys/bus/pci/devices/*; do
		[ "$(cat "$edu/device")" = 0x11e8 ] && break
	done
	echo dma_map_benchmark > "$edu/driver_override"
	echo "${edu##*/}" > /sys/bus/pci/drivers_probe
}

# Of the directions of a mapping.
both_ways=0 from_device=2

# map THREADS PAGES [DIRECTION]: microseconds of one dma_map and one dma_unmap. Unless
# it is for what comes from the device, the benchmark fills the pages before each of
# them. That is not measured, but 256 pages take the emulation a millisecond and more.
map()
{
	dma_map_benchmark -t "$1" -d "${3-$from_device}" \
		-s "${SECONDS_EACH:-1}" -g "$2" |
		awk -F '[: ]' '/^average map/ { n++; sum += $4 }
			       /^average unmap/ { n++; sum += $4 }
			       END { if (n == 2) print sum }'
}

# map_part PART: microseconds of one dma_map, or of one dma_unmap, of a page.
map_part()
{
	dma_map_benchmark -t 1 -d $from_device -s "${SECONDS_EACH:-1}" -g 1 |
		awk -F '[: ]' -v part="^average $1 " '$0 ~ part { print $4 }'
}

# read_disk OPTION...: microseconds an access takes. Whether it is done before the guest
# halts makes a difference of a factor of two, so it takes longer than the others to tell.
read_disk()
{
	fio --name=disk --filename=$disk --direct=1 --thread \
		--time_based --runtime="$((3 * ${SECONDS_EACH:-1}))" --ramp_time=0.2 \
		--group_reporting --output-format=terse --terse-version=3 "$@" |
		awk -F ';' '$8 > 0 { printf "%.1f\n", 1000000 / $8 }'
}

figure()
{
	case $1 in
	map_1)		map 1 1 ;;
	map_16)		map 1 16 ;;
	map_256)	map 1 256 ;;
	map_256_filled)	map 1 256 $both_ways ;;
	map_alone)	map_part map ;;
	unmap_alone)	map_part unmap ;;
	map_4threads)	map 4 1 | awk '{ print $1 / 4 }' ;;
	read_4k)	read_disk --rw=read --bs=4k --ioengine=psync ;;
	read_128k)	read_disk --rw=read --bs=128k --ioengine=psync ;;
	read_queue)	read_disk --rw=randread --bs=4k --ioengine=libaio \
				--iodepth=32 --numjobs=2 ;;
	esac
}

eventually [ -e $disk ] || fail "there is a disk" "no $disk"
bind_map_benchmark
for name in $(echo "$FIGURES" | tr , ' '); do
	value=$(figure "$name")
	if [ -n "$value" ]; then
		fact "$name" "$value"
	else
		fail "$name has a result" "see the console"
	fi
done
report_end
# The host looks at what it has for this guest, and ends it.
sleep 100
