/* The module lwip_feed, for tests alone: frames through an interface that
   firmware/lwip has hooked, and the clock that it asks. */
#include "../interface.h"
#include "py/obj.h"
#include "py/runtime.h"

static mp_obj_t feed_add(mp_obj_t own) {
    mp_buffer_info_t address;
    mp_get_buffer_raise(own, &address, MP_BUFFER_READ);
    must(address.len == 6, "no address");
    add_interface(address.buf);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(feed_add_obj, feed_add);

static mp_obj_t feed_frame(mp_obj_t frame, mp_obj_t sent) {
    mp_buffer_info_t octets;
    mp_get_buffer_raise(frame, &octets, MP_BUFFER_READ);
    play(octets.buf, octets.len, mp_obj_is_true(sent));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(feed_frame_obj, feed_frame);

static mp_obj_t feed_at(mp_obj_t ms) {
    now_ms = mp_obj_get_int(ms);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(feed_at_obj, feed_at);

static const mp_rom_map_elem_t feed_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_lwip_feed)},
    {MP_ROM_QSTR(MP_QSTR_add), MP_ROM_PTR(&feed_add_obj)},
    {MP_ROM_QSTR(MP_QSTR_frame), MP_ROM_PTR(&feed_frame_obj)},
    {MP_ROM_QSTR(MP_QSTR_at), MP_ROM_PTR(&feed_at_obj)},
};
static MP_DEFINE_CONST_DICT(feed_globals, feed_globals_table);

const mp_obj_module_t lwip_feed_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&feed_globals,
};
MP_REGISTER_MODULE(MP_QSTR_lwip_feed, lwip_feed_module);
