/* The module _inlier_packets, by which inlier.packets reads. It has nothing but
   read(): Python can neither reset a counter nor take a hook away. */
#include "hook.h"
#include "py/obj.h"
#include "py/runtime.h"

#define SMALL_INT_BITS 30 /* of inlier.packets: no reading takes heap */

static mp_obj_t packets_read(mp_obj_t values) {
    mp_buffer_info_t into;
    mp_get_buffer_raise(values, &into, MP_BUFFER_WRITE);
    uint32_t totals[INLIER_COUNTERS];
    if (into.typecode != 'i' || into.len != sizeof totals)
        mp_raise_ValueError(MP_ERROR_TEXT("an array('i') of 18 is needed"));
    inlier_read(totals);
    for (size_t i = 0; i < INLIER_COUNTERS; i++)
        ((int32_t *)into.buf)[i] = totals[i] & ((1u << SMALL_INT_BITS) - 1);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(packets_read_obj, packets_read);

static const mp_rom_map_elem_t packets_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__inlier_packets)},
    {MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&packets_read_obj)},
};
static MP_DEFINE_CONST_DICT(packets_globals, packets_globals_table);

const mp_obj_module_t inlier_packets_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&packets_globals,
};
MP_REGISTER_MODULE(MP_QSTR__inlier_packets, inlier_packets_module);
