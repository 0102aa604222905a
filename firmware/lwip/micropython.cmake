# For rp2 and esp32: make USER_C_MODULES=…/firmware/lwip/micropython.cmake
add_library(usermod_inlier_packets INTERFACE)
target_sources(usermod_inlier_packets INTERFACE
    ${CMAKE_CURRENT_LIST_DIR}/hook.c
    ${CMAKE_CURRENT_LIST_DIR}/module.c
    ${CMAKE_CURRENT_LIST_DIR}/packets.c
)
target_link_libraries(usermod INTERFACE usermod_inlier_packets)
