-- Employers are cached in memory: every change of one is announced. New ones are not: nobody has cached them.
create trigger employer_announces after update or delete on employer
    for each statement execute function announce_reference_change();
