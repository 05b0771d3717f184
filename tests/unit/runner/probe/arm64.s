.globl _start
.text
_start:
  adr x19, paths
next:
  ldrb w0, [x19]
  cbz w0, done
  mov x20, #0
len:
  ldrb w1, [x19, x20]
  cbz w1, gotlen
  add x20, x20, #1
  b len
gotlen:
  mov x0, #1
  adr x1, mark
  mov x2, #1
  mov x8, #64
  svc #0
  mov x0, #1
  mov x1, x19
  mov x2, x20
  mov x8, #64
  svc #0
  mov x0, #1
  adr x1, nl
  mov x2, #1
  mov x8, #64
  svc #0
  mov x0, #-100
  mov x1, x19
  mov x2, #0
  mov x3, #0
  mov x8, #56
  svc #0
  add x19, x19, x20
  add x19, x19, #1
  tbnz w0, #31, next
  mov w21, w0
again:
  mov w0, w21
  sub x1, sp, #4096
  mov x2, #4096
  mov x8, #63
  svc #0
  cmp x0, #0
  b.le closed
  mov x2, x0
  mov x0, #1
  sub x1, sp, #4096
  mov x8, #64
  svc #0
  b again
closed:
  mov w0, w21
  mov x8, #57
  svc #0
  b next
done:
  mov x0, #0
  mov x8, #93
  svc #0
mark: .byte 1
nl: .byte 10
paths:
