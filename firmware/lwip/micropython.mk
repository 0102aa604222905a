# For ports that make builds (stm32, mimxrt, renesas-ra, unix): make USER_C_MODULES=…/firmware
SRC_USERMOD_C += $(USERMOD_DIR)/module.c
SRC_USERMOD_LIB_C += $(USERMOD_DIR)/hook.c $(USERMOD_DIR)/packets.c
