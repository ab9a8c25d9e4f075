// Powers off with its first instructions; what starts it is all that is measured.
//
//   52800100  mov   w0, #0x8
//   72b08000  movk  w0, #0x8400, lsl #16    PSCI 5.1.9: SYSTEM_OFF, 0x84000008
//   d4000002  hvc   #0
//   d503207f  wfi
//   17ffffff  b     -4
    .section .text.start, "ax"
    .global _start
_start:
    mov     w0, #0x8
    movk    w0, #0x8400, lsl #16
    hvc     #0
1:  wfi
    b       1b
