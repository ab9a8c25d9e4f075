"""A pytest of a guest behind labgrid's QEMUDriver: what Tests/QEMUDoor/labgrid runs."""

import pytest


@pytest.fixture(scope="session")
def qemu(target):
    driver = target.get_driver("QEMUDriver", activate=False)
    target.activate(driver)
    driver.on()
    yield driver
    driver.off()


@pytest.fixture(scope="session")
def shell(qemu, target):
    driver = target.get_driver("ShellDriver", activate=False)
    target.activate(driver)
    return driver


def test_the_guest_runs_its_kernel(shell):
    assert shell.run_check("uname -m") == ["aarch64"]
    assert shell.run_check("nproc") == ["2"]


def test_a_status_is_the_commands(shell):
    output, _, status = shell.run("cat /no/such/file")

    assert status == 1
    assert "No such file" in output[0]


def test_the_disk_and_the_card_are_there(shell):
    assert shell.run_check("head -c 4 /dev/vda") == ["DISK"]
    assert shell.run_check("cat /sys/block/vda/ro") == ["1"]
    assert "eth0" in shell.run_check("ls -1 /sys/class/net")


def test_qmp_stops_and_starts_the_guest(qemu, shell):
    assert qemu.monitor_command("query-status") == {"status": "running", "running": True}
    qemu.monitor_command("stop")
    assert qemu.monitor_command("query-status")["status"] == "paused"
    qemu.monitor_command("cont")
    assert shell.run_check("echo on") == ["on"]


def test_a_port_that_comes_later_is_an_error(qemu):
    # labgrid 26.0.1 means to raise a QMPError, which refuses what QEMU and Apus send.
    with pytest.raises(Exception, match="hostfwd="):
        qemu.add_port_forward("tcp", "127.0.0.1", 2223, "10.0.2.15", 23)
    qemu._forwarded_ports.clear()


def test_the_guest_starts_again_after_off_and_on(qemu, shell, target):
    shell.run_check("touch /root/mark")
    target.deactivate(shell)
    qemu.cycle()
    target.activate(shell)

    assert shell.run_check("ls /root") == []
