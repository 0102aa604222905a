"""Inline assembler for Cortex-M with the DSP extension: Cortex-M4, M7, and the
M33 of the RP2350.

The same integers as plain.py. Features and evidence are thumb.py's. SMLAD
multiplies two pairs of halfwords and adds both products: inputs 0 and 2 of
four, then 1 and 3, whose weights of two rows PKH brings together and UXTAB16
takes apart, minus their offset of 128. The inline assembler knows none of
these: data() holds their halfwords (ARM DDI 0403E), and the comment what they
say, which a test assembles again. Only single words are loaded from the model
file, which may start at any address: these cores allow that, but not of LDM.
"""

import sys

import micropython
from micropython import const

from .thumb import evidence, features, prepare, subtract  # noqa: F401

# Byte offsets in the work buffer.
_FEATURES = const(8)
_LAYERS = const(12)
_LAYERS_AT = const(16)
_X_AT = const(20)
_NET_AT = const(24)


@micropython.asm_thumb
def _word(r0):
    movw(r1, 0)  # which no core below ARMv7-M compiles
    ldr(r0, [r0, 0])


def has_dsp(word):
    """word(address): of the System Control Space. Cortex-M4 and M7 always have
    the extension; of others the ID registers say it, which ARMv6-M and ARMv8-M
    Baseline lack: their architecture in CPUID is 0xC.
    """
    cpuid = word(0xE000ED00)
    if cpuid >> 4 & 0xFFF in (0xC24, 0xC27):
        return True
    if cpuid >> 16 & 15 != 15:
        return False
    # ID_ISAR2: signed multiplications; ID_ISAR3: halfwords and bytes of a word
    return word(0xE000ED68) >> 16 & 15 >= 3 and word(0xE000ED6C) >> 4 & 15 >= 3


# A program of Linux may not read these registers.
if sys.platform == "linux" or not has_dsp(_word):
    raise ImportError("no DSP extension")


@micropython.asm_thumb
def autoencoder(r0, r1):
    # r0: params, r1: work. In the loops: r0: inputs, r1: weights, r4..r7:
    # accumulators of four rows, r11: -128 twice, r12: end of the inputs by
    # eight, lr: end of all. On the stack, in words: blocks left, shifts,
    # outputs, biases, inputs, layer records, layers left, work, first output.
    push({r8, r9, r10, r11})
    data(2, 0xB08A)  # sub sp, #40
    data(2, 0x9107)  # str r1, [sp, #28]
    ldr(r2, [r1, _LAYERS])
    data(2, 0x9206)  # str r2, [sp, #24]
    ldr(r3, [r1, _LAYERS_AT])
    add(r3, r3, r1)
    ldr(r4, [r1, _X_AT])
    add(r4, r4, r1)
    ldr(r2, [r1, _NET_AT])
    add(r1, r0, r2)
    data(2, 0xF06F, 0x1B7F)  # mvn r11, #0x007F007F

    label(LAYER)  # r1: its parameters, r3: its record (cols, blocks), r4: its inputs
    data(2, 0xCB60)  # ldmia r3!, {r5, r6}
    data(2, 0xEB03, 0x1306)  # add.w r3, r3, r6, lsl #4
    data(2, 0x9305)  # str r3, [sp, #20]
    data(2, 0xEB01, 0x1706)  # add.w r7, r1, r6, lsl #4
    data(2, 0xF105, 0x0803)  # add.w r8, r5, #3
    data(2, 0xF028, 0x0803)  # bic r8, r8, #3
    data(2, 0x44A0)  # add r8, r4
    mov(r9, r1)
    mov(r10, r4)
    data(2, 0xEB07, 0x0186)  # add.w r1, r7, r6, lsl #2
    data(2, 0xE88D, 0x07C0)  # stm sp, {r6, r7, r8, r9, r10}
    data(2, 0xF8CD, 0x8020)  # str.w r8, [sp, #32]
    data(2, 0xEB04, 0x0E05)  # add.w lr, r4, r5
    data(2, 0xF025, 0x0C07)  # bic r12, r5, #7
    data(2, 0x44A4)  # add r12, r4

    label(BLOCK)
    data(2, 0xE9DD, 0x2003)  # ldrd r2, r0, [sp, #12]
    data(2, 0xF852, 0x4B10)  # ldr r4, [r2], #16
    data(2, 0xF852, 0x5C0C)  # ldr r5, [r2, #-12]
    data(2, 0xF852, 0x6C08)  # ldr r6, [r2, #-8]
    data(2, 0xF852, 0x7C04)  # ldr r7, [r2, #-4]
    data(2, 0x9203)  # str r2, [sp, #12]
    data(2, 0x4560)  # cmp r0, r12
    beq(BY_ONE)
    label(EIGHT)
    data(2, 0xF850, 0x2B04)  # ldr r2, [r0], #4
    data(2, 0xF851, 0x8B10)  # ldr r8, [r1], #16
    data(2, 0xF851, 0x9C08)  # ldr r9, [r1, #-8]
    data(2, 0xFA3F, 0xF382)  # uxtb16 r3, r2
    data(2, 0xEAC8, 0x4A09)  # pkhbt r10, r8, r9, lsl #16
    data(2, 0xEAC9, 0x4928)  # pkhtb r9, r9, r8, asr #16
    data(2, 0xFA3B, 0xF88A)  # uxtab16 r8, r11, r10
    data(2, 0xFB28, 0x4403)  # smlad r4, r8, r3, r4
    data(2, 0xFA3B, 0xFA9A)  # uxtab16 r10, r11, r10, ror #8
    data(2, 0xFB2A, 0x5503)  # smlad r5, r10, r3, r5
    data(2, 0xFA3B, 0xF889)  # uxtab16 r8, r11, r9
    data(2, 0xFB28, 0x6603)  # smlad r6, r8, r3, r6
    data(2, 0xFA3B, 0xF999)  # uxtab16 r9, r11, r9, ror #8
    data(2, 0xFB29, 0x7703)  # smlad r7, r9, r3, r7
    data(2, 0xFA3F, 0xF292)  # uxtb16 r2, r2, ror #8
    data(2, 0xF851, 0x8C0C)  # ldr r8, [r1, #-12]
    data(2, 0xF851, 0x9C04)  # ldr r9, [r1, #-4]
    data(2, 0xEAC8, 0x4A09)  # pkhbt r10, r8, r9, lsl #16
    data(2, 0xEAC9, 0x4928)  # pkhtb r9, r9, r8, asr #16
    data(2, 0xFA3B, 0xF88A)  # uxtab16 r8, r11, r10
    data(2, 0xFB28, 0x4402)  # smlad r4, r8, r2, r4
    data(2, 0xFA3B, 0xFA9A)  # uxtab16 r10, r11, r10, ror #8
    data(2, 0xFB2A, 0x5502)  # smlad r5, r10, r2, r5
    data(2, 0xFA3B, 0xF889)  # uxtab16 r8, r11, r9
    data(2, 0xFB28, 0x6602)  # smlad r6, r8, r2, r6
    data(2, 0xFA3B, 0xF999)  # uxtab16 r9, r11, r9, ror #8
    data(2, 0xFB29, 0x7702)  # smlad r7, r9, r2, r7
    data(2, 0xF850, 0x2B04)  # ldr r2, [r0], #4
    data(2, 0xF851, 0x8B10)  # ldr r8, [r1], #16
    data(2, 0xF851, 0x9C08)  # ldr r9, [r1, #-8]
    data(2, 0xFA3F, 0xF382)  # uxtb16 r3, r2
    data(2, 0xEAC8, 0x4A09)  # pkhbt r10, r8, r9, lsl #16
    data(2, 0xEAC9, 0x4928)  # pkhtb r9, r9, r8, asr #16
    data(2, 0xFA3B, 0xF88A)  # uxtab16 r8, r11, r10
    data(2, 0xFB28, 0x4403)  # smlad r4, r8, r3, r4
    data(2, 0xFA3B, 0xFA9A)  # uxtab16 r10, r11, r10, ror #8
    data(2, 0xFB2A, 0x5503)  # smlad r5, r10, r3, r5
    data(2, 0xFA3B, 0xF889)  # uxtab16 r8, r11, r9
    data(2, 0xFB28, 0x6603)  # smlad r6, r8, r3, r6
    data(2, 0xFA3B, 0xF999)  # uxtab16 r9, r11, r9, ror #8
    data(2, 0xFB29, 0x7703)  # smlad r7, r9, r3, r7
    data(2, 0xFA3F, 0xF292)  # uxtb16 r2, r2, ror #8
    data(2, 0xF851, 0x8C0C)  # ldr r8, [r1, #-12]
    data(2, 0xF851, 0x9C04)  # ldr r9, [r1, #-4]
    data(2, 0xEAC8, 0x4A09)  # pkhbt r10, r8, r9, lsl #16
    data(2, 0xEAC9, 0x4928)  # pkhtb r9, r9, r8, asr #16
    data(2, 0xFA3B, 0xF88A)  # uxtab16 r8, r11, r10
    data(2, 0xFB28, 0x4402)  # smlad r4, r8, r2, r4
    data(2, 0xFA3B, 0xFA9A)  # uxtab16 r10, r11, r10, ror #8
    data(2, 0xFB2A, 0x5502)  # smlad r5, r10, r2, r5
    data(2, 0xFA3B, 0xF889)  # uxtab16 r8, r11, r9
    data(2, 0xFB28, 0x6602)  # smlad r6, r8, r2, r6
    data(2, 0xFA3B, 0xF999)  # uxtab16 r9, r11, r9, ror #8
    data(2, 0xFB29, 0x7702)  # smlad r7, r9, r2, r7
    data(2, 0x4560)  # cmp r0, r12
    bne(EIGHT)
    label(BY_ONE)
    data(2, 0x4570)  # cmp r0, lr
    beq(REQUANTISE)
    label(ONE)
    data(2, 0xF810, 0x2B01)  # ldrb r2, [r0], #1
    data(2, 0xF851, 0x8B04)  # ldr r8, [r1], #4
    data(2, 0xFA3B, 0xF988)  # uxtab16 r9, r11, r8
    data(2, 0xFA3B, 0xF898)  # uxtab16 r8, r11, r8, ror #8
    data(2, 0xFB19, 0x4402)  # smlabb r4, r9, r2, r4
    data(2, 0xFB18, 0x5502)  # smlabb r5, r8, r2, r5
    data(2, 0xFB19, 0x6622)  # smlatb r6, r9, r2, r6
    data(2, 0xFB18, 0x7722)  # smlatb r7, r8, r2, r7
    data(2, 0x4570)  # cmp r0, lr
    bne(ONE)

    label(REQUANTISE)
    data(2, 0xE89D, 0x000D)  # ldm sp, {r0, r2, r3}
    data(2, 0xF852, 0x8B04)  # ldr r8, [r2], #4
    data(2, 0xFA44, 0xF408)  # asr.w r4, r4, r8
    data(2, 0xF384, 0x0408)  # usat r4, #8, r4
    data(2, 0xEA4F, 0x2818)  # lsr.w r8, r8, #8
    data(2, 0xFA45, 0xF508)  # asr.w r5, r5, r8
    data(2, 0xF385, 0x0508)  # usat r5, #8, r5
    data(2, 0xEA4F, 0x2818)  # lsr.w r8, r8, #8
    data(2, 0xFA46, 0xF608)  # asr.w r6, r6, r8
    data(2, 0xF386, 0x0608)  # usat r6, #8, r6
    data(2, 0xEA4F, 0x2818)  # lsr.w r8, r8, #8
    data(2, 0xFA47, 0xF708)  # asr.w r7, r7, r8
    data(2, 0xF387, 0x0708)  # usat r7, #8, r7
    data(2, 0xEA44, 0x2405)  # orr r4, r4, r5, lsl #8
    data(2, 0xEA46, 0x2607)  # orr r6, r6, r7, lsl #8
    data(2, 0xEA44, 0x4406)  # orr r4, r4, r6, lsl #16
    data(2, 0xF843, 0x4B04)  # str r4, [r3], #4
    sub(r0, 1)
    data(2, 0xE88D, 0x000D)  # stm sp, {r0, r2, r3}
    bne_w(BLOCK)
    data(2, 0x9B05)  # ldr r3, [sp, #20]
    data(2, 0x9C08)  # ldr r4, [sp, #32]
    data(2, 0x9A06)  # ldr r2, [sp, #24]
    sub(r2, 1)
    data(2, 0x9206)  # str r2, [sp, #24]
    bne_w(LAYER)

    # r4: the reconstruction
    data(2, 0x9A07)  # ldr r2, [sp, #28]
    ldr(r1, [r2, _X_AT])
    add(r1, r1, r2)
    ldr(r5, [r2, _FEATURES])
    mov(r0, 0)
    lsr(r6, r5, 2)
    beq(DISTANCE_REST)
    label(DISTANCE_FOUR)
    data(2, 0xF851, 0x2B04)  # ldr r2, [r1], #4
    data(2, 0xF854, 0x3B04)  # ldr r3, [r4], #4
    data(2, 0xFA3F, 0xF782)  # uxtb16 r7, r2
    data(2, 0xFA3F, 0xF883)  # uxtb16 r8, r3
    data(2, 0xFAD7, 0xF708)  # ssub16 r7, r7, r8
    data(2, 0xFB27, 0x0007)  # smlad r0, r7, r7, r0
    data(2, 0xFA3F, 0xF292)  # uxtb16 r2, r2, ror #8
    data(2, 0xFA3F, 0xF393)  # uxtb16 r3, r3, ror #8
    data(2, 0xFAD2, 0xF203)  # ssub16 r2, r2, r3
    data(2, 0xFB22, 0x0002)  # smlad r0, r2, r2, r0
    sub(r6, 1)
    bne(DISTANCE_FOUR)
    label(DISTANCE_REST)
    mov(r6, 3)
    and_(r6, r5)
    beq(DONE)
    label(DISTANCE_ONE)
    data(2, 0xF811, 0x2B01)  # ldrb r2, [r1], #1
    data(2, 0xF814, 0x3B01)  # ldrb r3, [r4], #1
    sub(r2, r2, r3)
    data(2, 0xFB02, 0x0002)  # mla r0, r2, r2, r0
    sub(r6, 1)
    bne(DISTANCE_ONE)

    label(DONE)
    data(2, 0xB00A)  # add sp, #40
    pop({r8, r9, r10, r11})
