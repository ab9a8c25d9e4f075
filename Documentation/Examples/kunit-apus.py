from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch="arm64",
    kconfig="""
CONFIG_SERIAL_AMBA_PL011=y
CONFIG_SERIAL_AMBA_PL011_CONSOLE=y""",
    qemu_arch="apus",
    kernel_path="arch/arm64/boot/Image.gz",
    kernel_command_line="console=ttyAMA0",
    extra_qemu_params=["-machine", "virt", "-cpu", "max"],
)
