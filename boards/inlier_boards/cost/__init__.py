"""What the runtime costs: instructions, memory, flash, beside C."""
