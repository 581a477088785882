/* task_switch(void **save_sp, void *load_sp): parks the caller and continues another stack. Leaves
 * through an indirect jump, so the return-address predictor is not wrong on every switch. */
	.text
	.globl	task_switch
	.type	task_switch, @function
	.p2align 4
task_switch:
	popq	%rdx			/* where the caller resumes */
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdx
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%rdx
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	jmp	*%rdx
	.size	task_switch, .-task_switch
	.section .note.GNU-stack,"",@progbits
