# cmake -DOUTPUT=file.cpp -DFILES=a.nn;b.nn -P embed.cmake: writes the files as string literals.
set(text "#include \"frontend/prelude.h\"\n\nnamespace nnc {\n\nstd::span<const PreludeFile> prelude_files() {\n  static constexpr PreludeFile files[] = {\n")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  file(READ ${file} content)
  string(APPEND text "      {\"prelude/${name}\", R\"__nn__(${content})__nn__\"},\n")
endforeach()
string(APPEND text "  };\n  return files;\n}\n\n}  // namespace nnc\n")
file(WRITE ${OUTPUT} "${text}")
