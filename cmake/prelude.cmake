# Embeds frontend/prelude/*.nn in the binary as prelude_files() of frontend/prelude.h.
file(GLOB prelude_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/frontend/prelude/*.nn)
set(prelude_output ${PROJECT_BINARY_DIR}/generated/prelude_embedded.cpp)
add_custom_command(
  OUTPUT ${prelude_output}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${prelude_output} "-DFILES=${prelude_sources}" -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${prelude_sources} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
  VERBATIM)
target_sources(nnc_frontend PRIVATE ${prelude_output})
