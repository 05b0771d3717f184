.intel_syntax noprefix
.globl _start
.text
_start:
  lea rbx, [rip+paths]
next:
  cmp byte ptr [rbx], 0
  je done
  mov edi, 1
  mov rsi, rbx
  xor edx, edx
len: cmp byte ptr [rsi+rdx], 0
  je gotlen
  inc edx
  jmp len
gotlen:
  mov r12d, edx
  lea rsi, [rip+mark]
  mov edx, 1
  mov eax, 1
  syscall
  mov edi, 1
  mov rsi, rbx
  mov edx, r12d
  mov eax, 1
  syscall
  mov edi, 1
  lea rsi, [rip+nl]
  mov edx, 1
  mov eax, 1
  syscall
  mov eax, 257
  mov edi, -100
  mov rsi, rbx
  xor edx, edx
  xor r10d, r10d
  syscall
  lea rbx, [rbx+r12+1]
  test eax, eax
  js next
  mov r13d, eax
again:
  mov edi, r13d
  lea rsi, [rsp-4096]
  mov edx, 4096
  xor eax, eax
  syscall
  test rax, rax
  jle closed
  mov rdx, rax
  mov edi, 1
  lea rsi, [rsp-4096]
  mov eax, 1
  syscall
  jmp again
closed:
  mov edi, r13d
  mov eax, 3
  syscall
  jmp next
done:
  xor edi, edi
  mov eax, 60
  syscall
mark: .byte 1
nl: .byte 10
paths:
