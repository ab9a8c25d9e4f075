// The first instructions of every guest, of each vCPU it starts, and of each exception it takes.

// Entered by the virtual machine monitor at EL1 with the MMU off. x0: the address of the device tree, or 0.
    .section .text.start, "ax"
    .global _start
_start:
    mov     x19, x0
    // QEMU puts the device tree of an ELF executable at the start of RAM and does not tell.
    cbnz    x19, 1f
    mov     x19, #0x40000000
1:  adrp    x1, boot_stack_end
    mov     sp, x1
    bl      prepare_processor
    adrp    x1, bss_start
    add     x1, x1, :lo12:bss_start
    adrp    x2, bss_end
    add     x2, x2, :lo12:bss_end
2:  cmp     x1, x2
    b.hs    3f
    str     xzr, [x1], #8
    b       2b
3:  adrp    x1, machine_device_tree
    str     x19, [x1, :lo12:machine_device_tree]
    bl      guest_main
    b       halt

    .text
halt:
    wfi
    b       halt

// Entered by PSCI CPU_ON at EL1 with the MMU off. x0: the vCPU's number, 0...511, which selects its stack of 4 KiB.
    .section .text.machine_secondary_start, "ax"
    .global machine_secondary_start
machine_secondary_start:
    mov     x19, x0
    adrp    x1, secondary_stacks
    add     x2, x19, #1
    add     x1, x1, x2, lsl #12
    mov     sp, x1
    bl      prepare_processor
    mov     x0, x19
    bl      guest_secondary
    b       halt

    .section .secondary_stacks, "aw", %nobits
    .balign 4096
secondary_stacks:
    .skip   512 * 4096

// Floating point (which the compiler uses to copy and clear), the exception vectors, and the MMU: without it memory is
// device memory, to which neither unaligned nor atomic accesses are allowed. Changes x1 to x3.
    .text
prepare_processor:
    mov     x1, #(3 << 20)                  // CPACR_EL1.FPEN: no trap
    msr     cpacr_el1, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    mov     x1, #0xFF00                     // MAIR_EL1: 0 is Device-nGnRnE, 1 is Normal write-back
    msr     mair_el1, x1
    mrs     x2, id_aa64mmfr0_el1
    and     x2, x2, #0xF                    // PARange; 48 bits are enough
    mov     x3, #5
    cmp     x2, x3
    csel    x2, x2, x3, lo
    mov     x1, #0x3519                     // TCR_EL1: T0SZ 25, write-back walks, inner shareable, 4 KiB granule
    movk    x1, #0x0080, lsl #16            // EPD1
    orr     x1, x1, x2, lsl #32             // IPS
    msr     tcr_el1, x1
    adrp    x1, translation_table
    msr     ttbr0_el1, x1
    dsb     ish
    tlbi    vmalle1
    dsb     nsh
    isb
    mrs     x1, sctlr_el1
    mov     x2, #0x1005                     // I, C and M
    orr     x1, x1, x2
    msr     sctlr_el1, x1
    isb
    ret

// Level 1: 512 blocks of 1 GiB, each at its own address. The first holds the devices, the others memory or nothing; the last
// is the first once more, as ordinary memory.
    .section .rodata.translation_table, "a"
    .balign 4096
translation_table:
    .quad   0x0060000000000401              // UXN, PXN, AF, attribute 0
    .set    block, 1
    .rept   510
    .quad   0x0040000000000705 + (block << 30)  // UXN, AF, inner shareable, attribute 1
    .set    block, block + 1
    .endr
    .quad   0x0060000000000705

// struct machine_smccc_result machine_smccc(uint64_t smc, uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3)
// The result goes to where x8 points. A call instruction that is undefined is told as such, and the guest goes on.
    .section .text.machine_smccc, "ax"
    .global machine_smccc
machine_smccc:
    stp     x8, x30, [sp, #-16]!
    mov     x9, x0
    mov     x0, x1
    mov     x1, x2
    mov     x2, x3
    mov     x3, x4
    cbnz    x9, smccc_smc
smccc_hvc:
    hvc     #0
    b       1f
smccc_smc:
    smc     #0
1:  mov     x9, #0
2:  ldr     x8, [sp]
    stp     x0, x1, [x8]
    stp     x2, x3, [x8, #16]
    str     x9, [x8, #32]
    ldp     x8, x30, [sp], #16
    ret
smccc_undefined:
    mov     x9, #1
    b       2b

// The vectors: 16 entries of 128 bytes. The number of an entry is what an unexpected exception is reported with.
    .section .text.vectors, "ax"
    .balign 2048
vectors:
    .set    entry, 0
    .rept   16
    .balign 128
    .if     entry == 4
    b       synchronous
    .elseif entry == 5
    b       interrupt
    .else
    mov     x0, #entry
    b       unexpected
    .endif
    .set    entry, entry + 1
    .endr

synchronous:
    mrs     x16, elr_el1
    adr     x17, smccc_hvc
    cmp     x16, x17
    b.eq    1f
    adr     x17, smccc_smc
    cmp     x16, x17
    b.eq    1f
    b       guarded_exception
1:  adr     x16, smccc_undefined
    msr     elr_el1, x16
    eret

    .global unexpected
unexpected:
    adrp    x1, exception_stack_end
    mov     sp, x1
    mrs     x1, esr_el1
    mrs     x2, far_el1
    mrs     x3, elr_el1
    bl      machine_exception
    b       halt

// What a called function may change is kept; the rest it keeps itself. Interrupts do not nest.
interrupt:
    sub     sp, sp, #560
    stp     x0, x1, [sp, #0]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x30, [sp, #144]
    mrs     x0, fpsr
    str     x0, [sp, #160]
    stp     q0, q1, [sp, #176]
    stp     q2, q3, [sp, #208]
    stp     q4, q5, [sp, #240]
    stp     q6, q7, [sp, #272]
    stp     q16, q17, [sp, #304]
    stp     q18, q19, [sp, #336]
    stp     q20, q21, [sp, #368]
    stp     q22, q23, [sp, #400]
    stp     q24, q25, [sp, #432]
    stp     q26, q27, [sp, #464]
    stp     q28, q29, [sp, #496]
    stp     q30, q31, [sp, #528]
    bl      guest_interrupt
    ldp     q30, q31, [sp, #528]
    ldp     q28, q29, [sp, #496]
    ldp     q26, q27, [sp, #464]
    ldp     q24, q25, [sp, #432]
    ldp     q22, q23, [sp, #400]
    ldp     q20, q21, [sp, #368]
    ldp     q18, q19, [sp, #336]
    ldp     q16, q17, [sp, #304]
    ldp     q6, q7, [sp, #272]
    ldp     q4, q5, [sp, #240]
    ldp     q2, q3, [sp, #208]
    ldp     q0, q1, [sp, #176]
    ldr     x0, [sp, #160]
    msr     fpsr, x0
    ldp     x18, x30, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp, #0]
    add     sp, sp, #560
    eret

// void *memcpy(void *to, const void *from, size_t count)
// The compiler calls it for large values.
    .section .text.memcpy, "ax"
    .global memcpy
memcpy:
    mov     x3, x0
    cbz     x2, 2f
1:  ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    subs    x2, x2, #1
    b.ne    1b
2:  ret

    .text
// For guests that take no interrupts and start no vCPUs.
    .weak   guest_interrupt
guest_interrupt:
    mov     x0, #5
    b       unexpected
    .weak   guest_secondary
guest_secondary:
    b       halt

    .section .bss.machine_device_tree, "aw", %nobits
    .balign 8
    .global machine_device_tree
machine_device_tree:
    .skip   8
