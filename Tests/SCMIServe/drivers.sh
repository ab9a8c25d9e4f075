# What a guest's drivers make of platform.json, a line to each, as `expected` has it: those of SCMIDriverTests, which
# Apus's own machine passes. Before that it starts anew ten times; /dev/vdb knows how often it did.
# shellcheck shell=dash

show() { echo "$1:" "$(shift && cat "$@" | tr '\n' ' ')"; }

count=$(head -n 1 /dev/vdb)
if [ "$count" -lt 10 ]; then
    show "start $count" /sys/kernel/debug/clk/rtc/clk_rate /sys/class/hwmon/hwmon0/temp1_input
    echo $((count + 1)) | dd of=/dev/vdb conv=notrunc,fsync 2>/dev/null
    reboot -f
fi

cd /sys/kernel/debug || exit
show rtc clk/rtc/clk_rate clk/rtc/clk_parent clk/rtc/clk_enable_count pm_genpd/rtc/current_state
echo 9010000.pl031 >/sys/bus/amba/drivers/rtc-pl031/unbind
show unbound clk/rtc/clk_rate clk/rtc/clk_parent clk/rtc/clk_enable_count pm_genpd/rtc/current_state
echo 9010000.pl031 >/sys/bus/amba/drivers/rtc-pl031/bind
show bound clk/rtc/clk_rate clk/rtc/clk_parent clk/rtc/clk_enable_count pm_genpd/rtc/current_state

bus() { show "$1" pm_genpd/gpu/current_state clk/gpu/clk_rate clk/gpu/clk_parent clk/gpu/clk_enable_count; }
power=/sys/bus/platform/devices/bus@c001000/power
# until_it_is STATE: waits for the bus's power management.
until_it_is() { for _ in 1 2 3 4 5 6 7 8 9; do grep -q "$1" $power/runtime_status || sleep 0.2; done; }
bus bus
echo on >$power/control
until_it_is active
bus 'bus on'
echo auto >$power/control
until_it_is suspended
bus 'bus off'
echo "pins of the bus: $(grep -c 'bus@c001000 .*function serial group uart' pinctrl/*/pinmux-pins)"

cd /sys/devices/system/cpu/cpufreq/policy0 || exit
show cpufreq scaling_driver scaling_available_frequencies
echo userspace >scaling_governor
echo 500000 >scaling_setspeed
show slow cpuinfo_cur_freq
echo 1000000 >scaling_setspeed
show faster cpuinfo_cur_freq

cd /sys/class/hwmon/hwmon0 || exit
show sensor temp1_label temp1_input
cd /sys/class/thermal/thermal_zone0 || exit
show zone type temp trip_point_0_type trip_point_0_temp

echo 850000 >/sys/devices/platform/core/max_microvolts
echo 750000 >/sys/devices/platform/core/min_microvolts
cd /sys/class/regulator || exit
for i in *; do if [ "$(cat "$i/name")" = vdd ]; then show regulator "$i/microvolts" "$i/state"; fi; done
echo enabled >/sys/devices/platform/slot/state
show slot /sys/devices/platform/slot/state

cd /sys/class/powercap/arm-scmi:0 || exit
echo 5000000 >constraint_0_power_limit_uw
echo 2000 >constraint_0_time_window_us
show powercap constraint_0_power_limit_uw constraint_0_time_window_us power_uw name

cd /sys/kernel/debug/pinctrl/*-scmi-pinctrl || exit
show functions pinmux-functions
echo spi bus >pinmux-select

# Events: the sensor's updates arrive as samples.
cd /sys/bus/iio/devices/iio:device0 || exit
show acceleration in_accel_x_raw in_accel_y_raw in_accel_z_raw
for i in scan_elements/*_en; do echo 1 >"$i"; done
echo 8 >buffer/length
echo 1 >buffer/enable
dd if=/dev/iio:device0 bs=32 count=5 2>/dev/null | od -An -v -t d8 -w32 | while read -r x y z _; do
    echo "sample: $x $y $z"
done
echo 0 >buffer/enable

cd /sys/kernel/debug/scmi/0/transport/counters || exit
for i in err_* *timeout* *fail*; do [ "$(cat "$i")" -eq 0 ] || show "$i" "$i"; done
[ "$(cat sent_ok)" -eq "$(cat response_ok)" ] && echo "each command was answered"
[ "$(cat notification_ok)" -ge 5 ] && echo "events have arrived"
