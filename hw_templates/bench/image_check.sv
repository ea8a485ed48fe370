// SPDX-License-Identifier: BSD-3-Clause
// For simulation: ends it with a message if FILE is missing, truncated or changed. SUM is
// 31^(n-1) c0 + 31^(n-2) c1 + ... + c(n-1) modulo 2^32 over the n = BYTES characters c of the file,
// carriage returns not counted: any one character that changes changes SUM. +unchecked: for files
// that were changed on purpose.
module bonn_image_check #(
  parameter FILE = "",
  parameter int BYTES = 0,
  parameter bit [31:0] SUM = 0
);
  int file, char, count;
  bit [31:0] sum;
  initial if ($test$plusargs("unchecked") == 0) begin
    file = $fopen(FILE, "r");
    if (file == 0) begin
      $fatal(1, "self-test: cannot open %s: name the folder of the RTL with the parameter FOLDER",
             FILE);
    end else begin
      count = 0;
      sum = 0;
      char = $fgetc(file);
      while (char != -1) begin
        if (char != 13) begin
          count = count + 1;
          sum = sum * 31 + char;
        end
        char = $fgetc(file);
      end
      $fclose(file);
      if (count != BYTES) begin
        $fatal(1, "self-test: %s has %0d characters, not %0d: it was truncated or changed", FILE,
               count, BYTES);
      end else if (sum != SUM) begin
        $fatal(1, "self-test: %s was changed: its checksum is %h, not %h", FILE, sum, SUM);
      end
    end
  end
endmodule
