// What a guest does though it may go wrong: calls of the firmware and accesses to memory, under the guest's own
// translation of addresses or under another.

    .set    OPERATION, 0
    .set    REGISTERS, 8
    .set    REGIME, 48
    .set    HAS_REGIME, 88
    .set    FAILED, 96

// void machine_guarded(struct machine_guarded_work *work)
// Between the two changes of the translation, everything is kept in registers.
    .section .text.machine_guarded, "ax"
    .global machine_guarded
machine_guarded:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mov     x19, x0
    mrs     x20, ttbr0_el1
    mrs     x21, ttbr1_el1
    mrs     x22, tcr_el1
    mrs     x23, mair_el1
    mrs     x24, sctlr_el1
    mrs     x26, daif
    msr     daifset, #2
    ldp     x9, x10, [x19, #REGIME]
    ldp     x11, x12, [x19, #REGIME + 16]
    ldp     x13, x25, [x19, #REGIME + 32]
    ldr     x28, [x19, #OPERATION]
    ldp     x0, x1, [x19, #REGISTERS]
    ldp     x2, x3, [x19, #REGISTERS + 16]
    ldr     x4, [x19, #REGISTERS + 32]
    mov     x27, #0
    cbz     x25, 1f
    bl      translate
1:  adr     x9, guarded_begin
    add     x9, x9, x28, lsl #3
    br      x9

// Two instructions for each operation, in the order of the header.
guarded_begin:
    hvc     #0
    b       guarded_done
    smc     #0
    b       guarded_done
    ldrb    w0, [x0]
    b       guarded_done
    ldrh    w0, [x0]
    b       guarded_done
    ldr     w0, [x0]
    b       guarded_done
    ldr     x0, [x0]
    b       guarded_done
    strb    w1, [x0]
    b       guarded_done
    strh    w1, [x0]
    b       guarded_done
    str     w1, [x0]
    b       guarded_done
    str     x1, [x0]
    b       guarded_done
    ldp     x0, x1, [x0]
    b       guarded_done
    stp     x1, x1, [x0]
    b       guarded_done
    b       increment
    nop
    blr     x0
    b       guarded_done
    b       fill
    nop
    b       verify
    nop
    b       copy
    nop

increment:
    ldxr    x1, [x0]
    add     x2, x1, #1
    stxr    w3, x2, [x0]
    cbnz    w3, increment
    mov     x0, x1
    b       guarded_done

fill:
    cbz     x1, guarded_done
    tst     x0, #7
    b.ne    1f
    cmp     x1, #8
    b.lo    1f
    str     x2, [x0]
    add     x0, x0, #8
    sub     x1, x1, #8
    b       fill
1:  strb    w2, [x0]
    add     x0, x0, #1
    sub     x1, x1, #1
    b       fill

verify:
    mov     x3, #0
    and     x5, x2, #0xFF
1:  cbz     x1, 3f
    tst     x0, #7
    b.ne    2f
    cmp     x1, #8
    b.lo    2f
    ldr     x4, [x0]
    cmp     x4, x2
    b.ne    2f
    add     x0, x0, #8
    sub     x1, x1, #8
    b       1b
2:  ldrb    w4, [x0]
    add     x0, x0, #1
    sub     x1, x1, #1
    cmp     x4, x5
    cinc    x3, x3, ne
    b       1b
3:  mov     x0, x3
    b       guarded_done

copy:
    cbz     x2, guarded_done
    orr     x3, x0, x1
    tst     x3, #7
    b.ne    1f
    cmp     x2, #8
    b.lo    1f
    ldr     x4, [x1]
    str     x4, [x0]
    add     x0, x0, #8
    add     x1, x1, #8
    sub     x2, x2, #8
    b       copy
1:  ldrb    w4, [x1]
    strb    w4, [x0]
    add     x0, x0, #1
    add     x1, x1, #1
    sub     x2, x2, #1
    b       copy
guarded_end:

// x16: the syndrome, x17: the address.
guarded_abort:
    mov     x27, #1
guarded_done:
    cbz     x25, 1f
    mov     x9, x20
    mov     x10, x21
    mov     x11, x22
    mov     x12, x23
    mov     x13, x24
    bl      translate
1:  stp     x0, x1, [x19, #REGISTERS]
    stp     x2, x3, [x19, #REGISTERS + 16]
    str     x4, [x19, #REGISTERS + 32]
    stp     x27, x16, [x19, #FAILED]
    str     x17, [x19, #FAILED + 16]
    msr     daif, x26
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

// Changes to TTBR0_EL1 x9, TTBR1_EL1 x10, TCR_EL1 x11, MAIR_EL1 x12 and SCTLR_EL1 x13, with the MMU off in between:
// granules may be others. Changes x14.
translate:
    dsb     sy
    mrs     x14, sctlr_el1
    bic     x14, x14, #1
    msr     sctlr_el1, x14
    isb
    msr     ttbr0_el1, x9
    msr     ttbr1_el1, x10
    msr     tcr_el1, x11
    msr     mair_el1, x12
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     sctlr_el1, x13
    isb
    ret

// Where a synchronous exception comes that no other code expects. x16: ELR_EL1. Either the instruction is a guarded one,
// or it could not be fetched where a guarded one has called it. Changes x14 to x17, which nobody needs then.
    .global guarded_exception
guarded_exception:
    adr     x17, guarded_begin
    sub     x14, x16, x17
    cmp     x14, #(guarded_end - guarded_begin)
    b.lo    1f
    mrs     x15, esr_el1
    lsr     x14, x15, #26
    cmp     x14, #0x21                      // an instruction abort at this exception level
    b.ne    2f
    sub     x14, x30, x17
    cmp     x14, #(guarded_end - guarded_begin)
    b.hs    2f
1:  adr     x17, guarded_abort
    msr     elr_el1, x17
    mrs     x16, esr_el1
    mrs     x17, far_el1
    eret
2:  mov     x0, #4
    b       unexpected

    .section .bss.machine_scratch, "aw", %nobits
    .balign 4096
    .global machine_scratch
machine_scratch:
    .skip   0x50000
